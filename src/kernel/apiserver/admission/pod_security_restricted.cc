#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kernel/apiserver/admission/pod_security_rules.h"

namespace atl::apiserver {
namespace {

using Names = std::vector<std::string>;

constexpr std::string_view kVolumes[] = {"configMap", "csi",   "downwardAPI",           "emptyDir",
                                         "ephemeral", "image", "persistentVolumeClaim", "projected",
                                         "secret"};

bool has_text(const json::Array& list, std::string_view text) {
  return std::ranges::any_of(
      list, [&](const json::Value& item) { return item.is_string() && item.as_string() == text; });
}

bool in_user_namespace(const json::Value& spec) {
  return !json::bool_at(spec, {"hostUsers"}, true);
}
bool windows(const json::Value& spec) {
  return json::string_at(spec, {"os", "name"}) == "windows";
}

void check_escalation(const json::Value& spec, SecurityFindings& out) {
  if (windows(spec)) return;
  const Names bad = containers_where(spec, [](const json::Value& container) {
    return json::bool_at(container, {"securityContext", "allowPrivilegeEscalation"}, true);
  });
  if (bad.empty()) return;
  out.push_back(
      {"allowPrivilegeEscalation != false",
       containers_text(bad) + " must set securityContext.allowPrivilegeEscalation=false"});
}

void check_capabilities(const json::Value& spec, SecurityFindings& out) {
  if (windows(spec)) return;
  std::set<std::string> added;
  const Names keeping = containers_where(spec, [](const json::Value& container) {
    return !has_text(json::array_at(container, {"securityContext", "capabilities", "drop"}), "ALL");
  });
  const Names adding = containers_where(spec, [&](const json::Value& container) {
    bool any = false;
    for (const json::Value& capability :
         json::array_at(container, {"securityContext", "capabilities", "add"})) {
      if (!capability.is_string() || capability.as_string() == "NET_BIND_SERVICE") continue;
      added.emplace(capability.as_string());
      any = true;
    }
    return any;
  });
  std::string detail;
  if (!keeping.empty())
    detail = containers_text(keeping) + " must set securityContext.capabilities.drop=[\"ALL\"]";
  if (!adding.empty()) {
    detail += fmt::format("{}{} must not include {} in securityContext.capabilities.add",
                          detail.empty() ? "" : "; ", containers_text(adding),
                          quoted_list({added.begin(), added.end()}));
  }
  if (!detail.empty()) out.push_back({"unrestricted capabilities", std::move(detail)});
}

void check_volume_types(const json::Value& spec, SecurityFindings& out) {
  Names bad;
  std::set<std::string> types;
  for (const json::Value& volume : json::array_at(spec, {"volumes"})) {
    if (!volume.is_object()) continue;
    for (const auto& [field, _] : volume.as_object()) {
      if (field == "name" ||
          std::ranges::find(kVolumes, std::string_view(field)) != std::end(kVolumes))
        continue;
      bad.emplace_back(json::string_at(volume, {"name"}));
      types.emplace(field);
    }
  }
  if (bad.empty()) return;
  out.push_back({"restricted volume types",
                 fmt::format("{} {} {} restricted volume {} {}",
                             bad.size() == 1 ? "volume" : "volumes", quoted_list(bad),
                             bad.size() == 1 ? "uses" : "use", types.size() == 1 ? "type" : "types",
                             quoted_list({types.begin(), types.end()}))});
}

void check_non_root(const json::Value& spec, SecurityFindings& out) {
  if (in_user_namespace(spec)) return;
  const json::Value* own = json::find(spec, {"securityContext", "runAsNonRoot"});
  const bool pod_good = own != nullptr && own->is_bool() && own->as_bool();
  const bool pod_bad = own != nullptr && own->is_bool() && !own->as_bool();
  const auto said = [](const json::Value& container) {
    const json::Value* value = json::find(container, {"securityContext", "runAsNonRoot"});
    return value != nullptr && value->is_bool() ? value : nullptr;
  };
  const Names refusing = containers_where(
      spec, [&](const json::Value& c) { return said(c) != nullptr && !said(c)->as_bool(); });
  const Names silent =
      containers_where(spec, [&](const json::Value& c) { return said(c) == nullptr && !pod_good; });
  if (pod_bad || !refusing.empty()) {
    out.push_back({"runAsNonRoot != true", setters_text(pod_bad, refusing) +
                                               " must not set securityContext.runAsNonRoot=false"});
  } else if (!silent.empty()) {
    out.push_back({"runAsNonRoot != true", "pod or " + containers_text(silent) +
                                               " must set securityContext.runAsNonRoot=true"});
  }
}

void check_user(const json::Value& spec, SecurityFindings& out) {
  if (in_user_namespace(spec)) return;
  const auto root = [](const json::Value& holder) {
    return json::int_at(holder, {"securityContext", "runAsUser"}, -1) == 0;
  };
  const bool pod = root(spec);
  const Names bad = containers_where(spec, root);
  if (pod || !bad.empty())
    out.push_back({"runAsUser=0", setters_text(pod, bad) + " must not set runAsUser=0"});
}

void check_seccomp(const json::Value& spec, SecurityFindings& out) {
  if (windows(spec)) return;
  const auto type_of = [](const json::Value& holder) {
    return json::string_at(holder, {"securityContext", "seccompProfile", "type"});
  };
  const auto good = [](std::string_view type) {
    return type == "RuntimeDefault" || type == "Localhost";
  };
  const bool pod_bad = !type_of(spec).empty() && !good(type_of(spec));
  const Names bad = containers_where(
      spec, [&](const json::Value& c) { return !type_of(c).empty() && !good(type_of(c)); });
  if (pod_bad || !bad.empty()) {
    out.push_back({"seccompProfile",
                   setters_text(pod_bad, bad) +
                       " must not set securityContext.seccompProfile.type to \"Unconfined\""});
    return;
  }
  const Names silent = containers_where(
      spec, [&](const json::Value& c) { return type_of(c).empty() && !good(type_of(spec)); });
  if (silent.empty()) return;
  out.push_back(
      {"seccompProfile",
       "pod or " + containers_text(silent) +
           " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""});
}

}  // namespace

void check_restricted(const json::Value& spec, SecurityFindings& out) {
  check_escalation(spec, out);
  check_capabilities(spec, out);
  check_volume_types(spec, out);
  check_non_root(spec, out);
  check_user(spec, out);
  check_seccomp(spec, out);
}

}  // namespace atl::apiserver

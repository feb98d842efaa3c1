#include "kernel/apiserver/admission/kinds/pod_rules.h"

#include <algorithm>
#include <set>

#include "kernel/apiserver/contract/findings.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kUpdateRule =
    "pod updates may not change fields other than "
    "`spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

// Containers of all sorts share one set of names. Twins within one list are the schema's finding.
void check_names(const json::Value& spec, std::string_view path, api::Findings& out) {
  std::set<std::string> taken;
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    std::set<std::string> own;
    size_t index = 0;
    for (const json::Value& container : json::array_at(spec, {list})) {
      const std::string here = under(at(under(path, list), index++), "name");
      const std::string name(json::string_at(container, {"name"}));
      if (taken.contains(name)) out.push_back(duplicate_value(here, json::Value(name)));
      if (!name.empty()) own.insert(name);
    }
    taken.merge(own);
  }
}

void check_tolerations(const json::Value& spec, std::string_view path, api::Findings& out) {
  size_t index = 0;
  for (const json::Value& toleration : json::array_at(spec, {"tolerations"})) {
    const std::string here = at(under(path, "tolerations"), index++);
    const std::string_view key = json::string_at(toleration, {"key"});
    const std::string_view operation = json::string_at(toleration, {"operator"}, "Equal");
    const std::string_view value = json::string_at(toleration, {"value"});
    if (key.empty() && operation != "Exists") {
      out.push_back(invalid_value(under(here, "operator"), json::Value(operation),
                                  "operator must be Exists when `key` is empty, which means "
                                  "\"match all values and all keys\""));
    }
    if (operation == "Exists" && !value.empty()) {
      out.push_back(invalid_value(under(here, "operator"), json::Value(value),
                                  "value must be empty when `operator` is 'Exists'"));
    }
    if (json::find(toleration, {"tolerationSeconds"}) != nullptr &&
        json::string_at(toleration, {"effect"}) != "NoExecute") {
      out.push_back(invalid_value(under(here, "effect"),
                                  json::Value(json::string_at(toleration, {"effect"})),
                                  "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
  }
}

void check_identity(const json::Value& spec, std::string_view path, api::Findings& out) {
  for (const std::string_view field : {"hostname", "subdomain"}) {
    const std::string_view name = json::string_at(spec, {field});
    check_text(out, under(path, field), name, api::dns_label);
  }
  for (const std::string_view field : {"serviceAccountName", "nodeName", "priorityClassName"}) {
    const std::string_view name = json::string_at(spec, {field});
    check_text(out, under(path, field), name, api::dns_subdomain);
  }
  if (json::string_at(spec, {"dnsPolicy"}) == "None" &&
      json::array_at(spec, {"dnsConfig", "nameservers"}).empty()) {
    out.push_back(
        required_value(under(path, "dnsConfig.nameservers"),
                       "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  if (json::bool_at(spec, {"shareProcessNamespace"}) && json::bool_at(spec, {"hostPID"})) {
    out.push_back(invalid_value(under(path, "shareProcessNamespace"), true,
                                "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
}

bool contains_all(const json::Array& now, const json::Array& before) {
  return std::ranges::all_of(before, [&](const json::Value& item) {
    return std::ranges::any_of(now,
                               [&](const json::Value& other) { return json::equal(item, other); });
  });
}

// Puts back what an update may change; whatever differs then was not allowed to.
json::Value neutralized(const json::Value& spec, const json::Value& old) {
  json::Value out = spec;
  for (const std::string_view list : {"containers", "initContainers"}) {
    json::Value* containers = json::find(out, {list});
    const json::Array& before = json::array_at(old, {list});
    if (containers == nullptr || !containers->is_array() ||
        containers->as_array().size() != before.size())
      continue;
    for (size_t i = 0; i < before.size(); ++i) {
      const json::Value* image = json::find(before[i], {"image"});
      if (image != nullptr) json::set(containers->as_array()[i], {"image"}, *image);
    }
  }
  for (const std::string_view field : {"activeDeadlineSeconds", "tolerations", "schedulingGates"}) {
    const json::Value* before = json::find(old, {field});
    if (before != nullptr)
      json::set(out, {field}, *before);
    else
      json::erase(out, {field});
  }
  if (json::int_at(old, {"terminationGracePeriodSeconds"}) < 0 &&
      json::int_at(spec, {"terminationGracePeriodSeconds"}) == 1) {
    json::set(out, {"terminationGracePeriodSeconds"},
              json::int_at(old, {"terminationGracePeriodSeconds"}));
  }
  return out;
}

std::string changed_fields(const json::Value& now, const json::Value& before) {
  std::set<std::string> names;
  for (const json::Value* side : {&now, &before}) {
    if (!side->is_object()) continue;
    for (const auto& [name, _] : side->as_object()) {
      const json::Value* a = json::find(now, {name});
      const json::Value* b = json::find(before, {name});
      if (a == nullptr || b == nullptr || !json::equal(*a, *b))
        names.insert("spec." + std::string(name));
    }
  }
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

void check_deadline(const json::Value& spec, const json::Value& old, api::Findings& out) {
  const json::Value* before = json::find(old, {"activeDeadlineSeconds"});
  if (before == nullptr || before->is_null()) return;
  const json::Value* now = json::find(spec, {"activeDeadlineSeconds"});
  if (now == nullptr || now->is_null()) {
    out.push_back(invalid_value("spec.activeDeadlineSeconds", nullptr,
                                "must not update from a positive integer to nil value"));
  } else if (json::int_at(spec, {"activeDeadlineSeconds"}) >
             json::int_at(old, {"activeDeadlineSeconds"})) {
    out.push_back(invalid_value("spec.activeDeadlineSeconds", *now,
                                "must be less than or equal to previous value"));
  }
}

}  // namespace

api::Findings check_pod_spec(const json::Value& spec, std::string_view path) {
  api::Findings out;
  each_container(spec, path, [&](const json::Value& container, const std::string& here) {
    check_container(container, spec, here, out);
  });
  check_names(spec, path, out);
  check_volumes(spec, path, out);
  check_tolerations(spec, path, out);
  check_identity(spec, path, out);
  return out;
}

api::Findings check_pod_update(const json::Value& pod, const json::Value& old) {
  api::Findings out;
  const json::Value spec = json::object_at(pod, {"spec"});
  const json::Value before = json::object_at(old, {"spec"});
  check_deadline(spec, before, out);
  if (!contains_all(json::array_at(spec, {"tolerations"}),
                    json::array_at(before, {"tolerations"}))) {
    out.push_back(
        forbidden_value("spec.tolerations",
                        "existing toleration can not be modified except its tolerationSeconds"));
  }
  if (!contains_all(json::array_at(before, {"schedulingGates"}),
                    json::array_at(spec, {"schedulingGates"}))) {
    out.push_back(forbidden_value("spec.schedulingGates", "only deletion is allowed"));
  }
  const json::Value rest = neutralized(spec, before);
  if (!json::equal(rest, before)) {
    out.push_back(forbidden_value(
        "spec", std::string(kUpdateRule) + "\nchanged: " + changed_fields(rest, before)));
  }
  return out;
}

api::Findings check_ephemeral_update(const json::Value& pod, const json::Value& old) {
  api::Findings out;
  json::Value spec = json::object_at(pod, {"spec"});
  json::Value before = json::object_at(old, {"spec"});
  const json::Array now = json::array_at(spec, {"ephemeralContainers"});
  const json::Array then = json::array_at(before, {"ephemeralContainers"});
  if (!contains_all(now, then)) {
    out.push_back(forbidden_value("spec.ephemeralContainers",
                                  "existing ephemeral containers may not be changed or removed"));
  }
  if (now.size() > then.size()) {
    out.push_back(forbidden_value("spec.ephemeralContainers",
                                  "nodes of this cluster run no ephemeral containers: use `kubectl "
                                  "debug --copy-to=NAME`, or `kubectl exec`"));
  }
  json::erase(spec, {"ephemeralContainers"});
  json::erase(before, {"ephemeralContainers"});
  if (!json::equal(spec, before)) {
    out.push_back(forbidden_value(
        "spec",
        "only ephemeralContainers may be changed here; changed: " + changed_fields(spec, before)));
  }
  return out;
}

api::Findings check_resize(const json::Value& pod, const json::Value& old) {
  api::Findings out;
  json::Value spec = json::object_at(pod, {"spec"});
  json::Value before = json::object_at(old, {"spec"});
  for (json::Value* side : {&spec, &before}) {
    each_container(*side, [](json::Value& container) { json::erase(container, {"resources"}); });
    json::erase(*side, {"resources"});
  }
  if (!json::equal(spec, before)) {
    out.push_back(forbidden_value("spec", "only cpu and memory resources are mutable; changed: " +
                                              changed_fields(spec, before)));
  }
  return out;
}

}  // namespace atl::apiserver

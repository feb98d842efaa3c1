#include "kernel/apiserver/admission/kinds/rbac.h"

#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

void check_rule(const json::Value& rule, const std::string& path, bool namespaced,
                api::Findings& out) {
  const json::Array& urls = json::array_at(rule, {"nonResourceURLs"});
  const json::Array& resources = json::array_at(rule, {"resources"});
  const json::Array& groups = json::array_at(rule, {"apiGroups"});
  if (!urls.empty()) {
    const std::string here = under(path, "nonResourceURLs");
    if (namespaced)
      out.push_back(
          invalid_value(here, urls, "namespaced rules cannot apply to non-resource URLs"));
    if (!groups.empty() || !resources.empty() || !json::array_at(rule, {"resourceNames"}).empty()) {
      out.push_back(invalid_value(
          here, urls, "rules cannot apply to both regular resources and non-resource URLs"));
    }
    return;
  }
  if (groups.empty())
    out.push_back(required_value(under(path, "apiGroups"),
                                 "resource rules must supply at least one api group"));
  if (resources.empty())
    out.push_back(required_value(under(path, "resources"),
                                 "resource rules must supply at least one resource"));
}

void check_subject(const json::Value& subject, const std::string& path, bool cluster_wide,
                   api::Findings& out) {
  const std::string_view kind = json::string_at(subject, {"kind"});
  const std::string_view group = json::string_at(subject, {"apiGroup"});
  if (kind == "ServiceAccount") {
    check_text(out, under(path, "name"), json::string_at(subject, {"name"}), api::dns_subdomain);
    if (!group.empty())
      out.push_back(unsupported_value(under(path, "apiGroup"), json::Value(group), {""}));
    if (cluster_wide && json::string_at(subject, {"namespace"}).empty())
      out.push_back(required_value(under(path, "namespace")));
  } else if ((kind == "User" || kind == "Group") && group != kGroup) {
    out.push_back(unsupported_value(under(path, "apiGroup"), json::Value(group), {kGroup}));
  }
}

}  // namespace

api::Findings RoleHook::validate(const WriteContext& write) const {
  api::Findings out;
  size_t index = 0;
  for (const json::Value& rule : json::array_at(*write.object, {"rules"})) {
    check_rule(rule, at("rules", index++), write.kind.namespaced, out);
  }
  return out;
}

Result<> RoleBindingHook::prepare(WriteContext& write) const {
  json::Value* subjects = json::find(*write.object, {"subjects"});
  if (subjects == nullptr || !subjects->is_array()) return Unit{};
  for (json::Value& subject : subjects->as_array()) {
    const std::string_view kind = json::string_at(subject, {"kind"});
    if ((kind == "User" || kind == "Group") && json::string_at(subject, {"apiGroup"}).empty()) {
      subject.as_object()["apiGroup"] = kGroup;
    }
    if (kind == "ServiceAccount" && !write.key.ns.empty() &&
        json::string_at(subject, {"namespace"}).empty()) {
      subject.as_object()["namespace"] = write.key.ns;
    }
  }
  return Unit{};
}

api::Findings RoleBindingHook::validate(const WriteContext& write) const {
  const json::Value& binding = *write.object;
  api::Findings out;
  const std::string_view role = json::string_at(binding, {"roleRef", "kind"});
  if (!write.kind.namespaced && role == "Role") {
    out.push_back(unsupported_value("roleRef.kind", json::Value(role), {"ClusterRole"}));
  }
  size_t index = 0;
  for (const json::Value& subject : json::array_at(binding, {"subjects"})) {
    check_subject(subject, at("subjects", index++), !write.kind.namespaced, out);
  }
  if (write.old != nullptr && !json::equal(json::object_at(binding, {"roleRef"}),
                                           json::object_at(*write.old, {"roleRef"}))) {
    out.push_back(
        invalid_value("roleRef", json::object_at(binding, {"roleRef"}), "cannot change roleRef"));
  }
  return out;
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/quota_ledger.h"

#include <algorithm>

#include "kernel/apiserver/admission/kinds/pod_defaults.h"

namespace atl::apiserver {
namespace {

bool matches_classes(const json::Value& expression, const QuotaRecord& record) {
  const std::string_view operation = json::string_at(expression, {"operator"});
  const json::Array& values = json::array_at(expression, {"values"});
  const bool listed = std::ranges::any_of(values, [&](const json::Value& value) {
    return value.is_string() && value.as_string() == record.priority_class;
  });
  if (operation == "In") return listed;
  if (operation == "NotIn") return !listed;
  if (operation == "DoesNotExist") return record.priority_class.empty();
  return !record.priority_class.empty();
}

bool matches_scope(std::string_view scope, const json::Value& expression,
                   const QuotaRecord& record) {
  if (scope == "BestEffort") return record.best_effort;
  if (scope == "NotBestEffort") return !record.best_effort;
  if (scope == "Terminating") return record.terminating;
  if (scope == "NotTerminating") return !record.terminating;
  if (scope == "PriorityClass") return matches_classes(expression, record);
  return false;  // a scope that is not known takes nothing in
}

}  // namespace

QuotaRecord QuotaRecord::of(std::string_view group, std::string_view resource,
                            const json::Value& object) {
  QuotaRecord out{.usage = quota_usage(group, resource, object)};
  if (!group.empty() || resource != "pods") return out;
  const json::Value spec = json::object_at(object, {"spec"});
  out.best_effort = quality_of(spec) == "BestEffort";
  out.terminating = json::find(spec, {"activeDeadlineSeconds"}) != nullptr;
  out.priority_class = json::string_at(spec, {"priorityClassName"});
  return out;
}

bool in_scope(const json::Value& quota, const QuotaRecord& record) {
  const json::Value exists = json::Object{{"operator", "Exists"}};
  for (const json::Value& scope : json::array_at(quota, {"spec", "scopes"})) {
    if (scope.is_string() && !matches_scope(scope.as_string(), exists, record)) return false;
  }
  for (const json::Value& expression :
       json::array_at(quota, {"spec", "scopeSelector", "matchExpressions"})) {
    if (!matches_scope(json::string_at(expression, {"scopeName"}), expression, record))
      return false;
  }
  return true;
}

QuotaLedger::Following& QuotaLedger::follow(const Resource& resource) {
  Following& following = following_[resource];
  if (following.handle) return following;
  following.handle =
      reader_.listen(resource.first, resource.second,
                     [this, resource](const api::ObjectPtr& now, const api::ObjectPtr& before) {
                       change(resource, now, before);
                     });
  return following;
}

void QuotaLedger::change(const Resource& resource, const api::ObjectPtr& now,
                         const api::ObjectPtr& before) {
  Following& following = following_[resource];
  const api::ObjectPtr& any = now ? now : before;
  if (!any) return;
  const auto at = following.namespaces.find(any->ns());
  if (at == following.namespaces.end()) return;
  if (now) {
    at->second[now->name()] = QuotaRecord::of(resource.first, resource.second, now->parse());
  } else {
    at->second.erase(before->name());
  }
  if (changed_) changed_(any->ns());
}

ResourceAmounts QuotaLedger::usage(const json::Value& quota, const std::string& ns,
                                   const std::string& group, const std::string& resource) {
  Following& following = follow({group, resource});
  auto at = following.namespaces.find(ns);
  if (at == following.namespaces.end()) {
    at = following.namespaces.try_emplace(ns).first;
    reader_.each(group, resource, ns, [&](const api::ObjectPtr& object) {
      at->second[object->name()] = QuotaRecord::of(group, resource, object->parse());
      return true;
    });
  }
  ResourceAmounts out;
  for (const auto& [_, record] : at->second) {
    if (in_scope(quota, record)) add_amounts(out, record.usage);
  }
  return out;
}

bool QuotaLedger::counts(const std::string& ns, const std::string& group,
                         const std::string& resource, const std::string& name) const {
  const auto following = following_.find({group, resource});
  if (following == following_.end()) return false;
  const auto at = following->second.namespaces.find(ns);
  return at != following->second.namespaces.end() && at->second.contains(name);
}

std::optional<std::pair<std::string, std::string>> resource_of_key(std::string_view key) {
  using Resource = std::pair<std::string, std::string>;
  constexpr std::string_view kCount = "count/";
  if (key.starts_with(kCount)) {
    key.remove_prefix(kCount.size());
    const size_t dot = key.find('.');
    return Resource{dot == std::string_view::npos ? "" : std::string(key.substr(dot + 1)),
                    std::string(key.substr(0, dot))};
  }
  for (const std::string_view plain :
       {"configmaps", "secrets", "replicationcontrollers", "resourcequotas", "services"}) {
    if (key == plain) return Resource{"", std::string(plain)};
  }
  if (key.starts_with("services.")) return Resource{"", "services"};
  if (key == "persistentvolumeclaims" || key == "requests.storage" ||
      key.find(".storageclass.storage.k8s.io/") != std::string_view::npos) {
    return Resource{"", "persistentvolumeclaims"};
  }
  const bool of_pods = key == "pods" || key == "cpu" || key == "memory" ||
                       key == "ephemeral-storage" || key.starts_with("requests.") ||
                       key.starts_with("limits.");
  return of_pods ? std::optional(Resource{"", "pods"}) : std::nullopt;
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/kinds/workloads.h"

#include <algorithm>

#include "api/select/select.h"
#include "kernel/apiserver/admission/kinds/pod_template.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

void set_if_missing(json::Value& object, json::Path path, json::Value value) {
  if (json::find(object, path) == nullptr) json::set(object, path, std::move(value));
}

// maxUnavailable and maxSurge of a rolling update; `at` is spec.strategy or spec.updateStrategy.
void check_rolling(const json::Value& object, std::string_view strategy, api::Findings& out) {
  const std::string path = under(under("spec", strategy), "rollingUpdate");
  const json::Value* unavailable =
      json::find(object, {"spec", strategy, "rollingUpdate", "maxUnavailable"});
  const json::Value* surge = json::find(object, {"spec", strategy, "rollingUpdate", "maxSurge"});
  check_part(unavailable, under(path, "maxUnavailable"), out);
  check_int_or_percent(surge, under(path, "maxSurge"), out);
  if (is_zero(unavailable) && is_zero(surge)) {
    out.push_back(invalid_value(under(path, "maxUnavailable"), *unavailable,
                                "may not be 0 when `maxSurge` is 0"));
  }
}

constexpr std::string_view kStatefulFields[] = {"replicas",
                                                "ordinals",
                                                "template",
                                                "updateStrategy",
                                                "minReadySeconds",
                                                "revisionHistoryLimit",
                                                "persistentVolumeClaimRetentionPolicy"};

bool same_beside(const json::Value& now, const json::Value& before,
                 std::span<const std::string_view> mutable_fields) {
  json::Value a = json::object_at(now, {"spec"});
  json::Value b = json::object_at(before, {"spec"});
  for (const std::string_view field : mutable_fields) {
    json::erase(a, {field});
    json::erase(b, {field});
  }
  return json::equal(a, b);
}

}  // namespace

Result<> DeploymentHook::prepare(WriteContext& write) const {
  if (!write.subresource.empty()) return Unit{};
  json::Value& object = *write.object;
  default_pod_template(object, {"spec", "template"});
  if (json::string_at(object, {"spec", "strategy", "type"}, "RollingUpdate") == "RollingUpdate") {
    set_if_missing(object, {"spec", "strategy", "rollingUpdate", "maxUnavailable"}, "25%");
    set_if_missing(object, {"spec", "strategy", "rollingUpdate", "maxSurge"}, "25%");
  }
  return Unit{};
}

api::Findings DeploymentHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& object = *write.object;
  api::Findings out;
  check_selector(object, "deployment", out);
  check_immutable(object, write.old, "selector", out);
  check_pod_template(object, {"Always"}, out);
  check_rolling(object, "strategy", out);
  if (json::string_at(object, {"spec", "strategy", "type"}) == "Recreate" &&
      json::find(object, {"spec", "strategy", "rollingUpdate"}) != nullptr) {
    out.push_back(forbidden_value("spec.strategy.rollingUpdate",
                                  "may not be specified when strategy `type` is 'Recreate'"));
  }
  const int64_t deadline = json::int_at(object, {"spec", "progressDeadlineSeconds"}, 600);
  if (deadline <= json::int_at(object, {"spec", "minReadySeconds"})) {
    out.push_back(invalid_value("spec.progressDeadlineSeconds", deadline,
                                "must be greater than minReadySeconds"));
  }
  return out;
}

Result<> ReplicaSetHook::prepare(WriteContext& write) const {
  if (write.subresource.empty()) default_pod_template(*write.object, {"spec", "template"});
  return Unit{};
}

api::Findings ReplicaSetHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  api::Findings out;
  check_selector(*write.object, "replicaset", out);
  check_immutable(*write.object, write.old, "selector", out);
  check_pod_template(*write.object, {"Always"}, out);
  return out;
}

Result<> StatefulSetHook::prepare(WriteContext& write) const {
  if (!write.subresource.empty()) return Unit{};
  json::Value& object = *write.object;
  default_pod_template(object, {"spec", "template"});
  set_if_missing(object, {"spec", "updateStrategy", "type"}, "RollingUpdate");
  if (json::string_at(object, {"spec", "updateStrategy", "type"}) == "RollingUpdate") {
    set_if_missing(object, {"spec", "updateStrategy", "rollingUpdate", "partition"}, 0);
  }
  set_if_missing(object, {"spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"}, "Retain");
  set_if_missing(object, {"spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"}, "Retain");
  json::Value* claims = json::find(object, {"spec", "volumeClaimTemplates"});
  if (claims == nullptr || !claims->is_array()) return Unit{};
  for (json::Value& claim : claims->as_array()) {
    set_if_missing(claim, {"apiVersion"}, "v1");
    set_if_missing(claim, {"kind"}, "PersistentVolumeClaim");
    set_if_missing(claim, {"status", "phase"}, "Pending");
  }
  return Unit{};
}

api::Findings StatefulSetHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  api::Findings out;
  check_selector(*write.object, "statefulset", out);
  check_pod_template(*write.object, {"Always"}, out);
  if (write.old != nullptr && !same_beside(*write.object, *write.old, kStatefulFields)) {
    out.push_back(forbidden_value(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
        "'minReadySeconds' are forbidden"));
  }
  return out;
}

Result<> DaemonSetHook::prepare(WriteContext& write) const {
  if (!write.subresource.empty()) return Unit{};
  json::Value& object = *write.object;
  default_pod_template(object, {"spec", "template"});
  if (json::string_at(object, {"spec", "updateStrategy", "type"}, "RollingUpdate") ==
      "RollingUpdate") {
    set_if_missing(object, {"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"}, 1);
    set_if_missing(object, {"spec", "updateStrategy", "rollingUpdate", "maxSurge"}, 0);
  }
  return Unit{};
}

api::Findings DaemonSetHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  api::Findings out;
  check_selector(*write.object, "daemonset", out);
  check_immutable(*write.object, write.old, "selector", out);
  check_pod_template(*write.object, {"Always"}, out);
  check_rolling(*write.object, "updateStrategy", out);
  return out;
}

Result<> ReplicationControllerHook::prepare(WriteContext& write) const {
  if (!write.subresource.empty()) return Unit{};
  json::Value& object = *write.object;
  default_pod_template(object, {"spec", "template"});
  const json::Object labels = json::object_at(object, {"spec", "template", "metadata", "labels"});
  if (labels.empty()) return Unit{};
  if (json::object_at(object, {"spec", "selector"}).empty())
    json::set(object, {"spec", "selector"}, labels);
  if (json::object_at(object, {"metadata", "labels"}).empty())
    json::set(object, {"metadata", "labels"}, labels);
  return Unit{};
}

api::Findings ReplicationControllerHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& object = *write.object;
  api::Findings out;
  const json::Object& selector = json::object_at(object, {"spec", "selector"});
  if (selector.empty()) out.push_back(required_value("spec.selector"));
  const json::Object& labels = json::object_at(object, {"spec", "template", "metadata", "labels"});
  const bool matches = std::ranges::all_of(selector, [&](const auto& entry) {
    const json::Value* value = labels.if_contains(entry.key());
    return value != nullptr && json::equal(*value, entry.value());
  });
  if (!matches) {
    out.push_back(invalid_value("spec.template.metadata.labels", labels,
                                "`selector` does not match template `labels`"));
  }
  check_pod_template(object, {"Always"}, out);
  return out;
}

Result<> PodTemplateHook::prepare(WriteContext& write) const {
  default_pod_template(*write.object, {"template"});
  return Unit{};
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/kinds/pod.h"

#include "kernel/apiserver/admission/kinds/pod_defaults.h"
#include "kernel/apiserver/admission/kinds/pod_rules.h"

namespace atl::apiserver {
namespace {

constexpr int64_t kDefaultGrace = 30;

json::Value first_status(const json::Value& pod) {
  json::Object status{{"phase", "Pending"},
                      {"qosClass", quality_of(json::object_at(pod, {"spec"}))}};
  if (!json::array_at(pod, {"spec", "schedulingGates"}).empty()) {
    status["conditions"] = json::Array{
        json::Object{{"type", "PodScheduled"},
                     {"status", "False"},
                     {"reason", "SchedulingGated"},
                     {"message", "Scheduling is blocked due to non-empty scheduling gates"}}};
  }
  return status;
}

}  // namespace

Result<> PodHook::prepare(WriteContext& write) const {
  if (!write.subresource.empty() && write.subresource != "ephemeralcontainers") return Unit{};
  json::Value& pod = *write.object;
  if (json::Value* spec = json::find(pod, {"spec"}); spec != nullptr && spec->is_object())
    default_pod_spec(*spec);
  // Requests follow limits once, when the pod is made: an update may not change them anyway.
  if (write.old != nullptr) return Unit{};
  default_pod(pod);
  json::set(pod, {"status"}, first_status(pod));
  return Unit{};
}

api::Findings PodHook::validate(const WriteContext& write) const {
  const json::Value& pod = *write.object;
  if (write.subresource == "ephemeralcontainers" && write.old != nullptr)
    return check_ephemeral_update(pod, *write.old);
  if (write.subresource == "resize" && write.old != nullptr) return check_resize(pod, *write.old);
  if (!write.subresource.empty()) return {};
  if (write.old != nullptr) return check_pod_update(pod, *write.old);
  return check_pod_spec(json::object_at(pod, {"spec"}), "spec");
}

std::optional<int64_t> PodHook::grace_seconds(const json::Value& object,
                                              std::optional<int64_t> asked) const {
  if (json::string_at(object, {"spec", "nodeName"}).empty()) return 0;
  const std::string_view phase = json::string_at(object, {"status", "phase"});
  if (phase == "Succeeded" || phase == "Failed") return 0;
  const int64_t own =
      json::int_at(object, {"spec", "terminationGracePeriodSeconds"}, kDefaultGrace);
  const int64_t grace = asked.value_or(own);
  return grace < 0 ? 1 : grace;
}

}  // namespace atl::apiserver

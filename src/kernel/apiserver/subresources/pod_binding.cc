#include "kernel/apiserver/subresources/pod_binding.h"

#include <fmt/format.h>

#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {
namespace {

const api::Gvr kPods{"", "v1", "pods"};

Result<> check_binding(const VirtualRequest& request, const std::string& name) {
  const std::string_view named = json::string_at(request.body, {"metadata", "name"}, name);
  if (named != name)
    return Error(Code::kBadRequest, "name in URL does not match name in Binding object");
  api::Findings findings;
  const std::string_view kind = json::string_at(request.body, {"target", "kind"});
  if (!kind.empty() && kind != "Node") {
    findings.push_back(
        {"FieldValueNotSupported",
         fmt::format("Unsupported value: \"{}\": supported values: \"Node\", \"<empty>\"", kind),
         "target.kind"});
  }
  if (json::string_at(request.body, {"target", "name"}).empty()) {
    findings.push_back({"FieldValueRequired", "Required value", "target.name"});
  }
  if (findings.empty()) return Unit{};
  return api::invalid({"", "v1", "Binding"}, name, std::move(findings));
}

Error refuse(const std::string& name, std::string_view why) {
  return conflict("pods/binding", name, why);
}

void set_scheduled(json::Value& pod, WallTime now) {
  json::Value& status = json::ensure(pod, {"status"});
  json::Array conditions;
  for (const json::Value& condition : json::array_at(status, {"conditions"})) {
    if (json::string_at(condition, {"type"}) != "PodScheduled") conditions.push_back(condition);
  }
  conditions.push_back(json::Object{{"type", "PodScheduled"},
                                    {"status", "True"},
                                    {"lastProbeTime", nullptr},
                                    {"lastTransitionTime", rfc3339(now)}});
  json::set(status, {"conditions"}, std::move(conditions));
}

Result<> assign(json::Value& pod, const std::string& name, const json::Value& binding,
                WallTime now) {
  const std::string_view uid = json::string_at(binding, {"metadata", "uid"});
  const std::string_view live_uid = json::string_at(pod, {"metadata", "uid"});
  if (!uid.empty() && uid != live_uid) {
    return refuse(
        name, fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}",
                          uid, live_uid));
  }
  if (json::find(pod, {"metadata", "deletionTimestamp"})) {
    return refuse(name, fmt::format("pod {} is being deleted, cannot be assigned to a host", name));
  }
  const std::string_view node = json::string_at(pod, {"spec", "nodeName"});
  if (!node.empty())
    return refuse(name, fmt::format("pod {} is already assigned to node \"{}\"", name, node));
  if (!json::array_at(pod, {"spec", "schedulingGates"}).empty()) {
    return refuse(name, fmt::format("pod {} has non-empty .spec.schedulingGates", name));
  }
  json::set(pod, {"spec", "nodeName"}, json::Value(json::string_at(binding, {"target", "name"})));
  for (const auto& [key, value] : json::object_at(binding, {"metadata", "annotations"})) {
    json::set(pod, {"metadata", "annotations", key}, value);
  }
  for (const auto& [key, value] : json::object_at(binding, {"metadata", "labels"})) {
    json::set(pod, {"metadata", "labels", key}, value);
  }
  set_scheduled(pod, now);
  return Unit{};
}

}  // namespace

Task<VirtualReply> PodBindingHook::post(VirtualRequest request) {
  // The collection `bindings` names the pod in the body alone.
  const std::string name = request.key.name.empty()
                               ? std::string(json::string_at(request.body, {"metadata", "name"}))
                               : request.key.name;
  CO_TRY_OK(check_binding(request, name));
  Call call{.kind = request.registry->parts().kinds.find(kPods),
            .subresource = "binding",
            .key = {request.key.ns, name},
            .user = request.user,
            .dry_run = request.dry_run};
  CO_TRY_OK(co_await request.registry->modify(std::move(call), [&](json::Value& pod) {
    return assign(pod, name, request.body, request.now);
  }));
  co_return VirtualReply{201, success_document({})};
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/node_restriction.h"

#include <fmt/format.h>

#include "kernel/apiserver/auth/service_account_name.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kReserved = "node-restriction.kubernetes.io/";

std::string_view node_of(const json::Value& pod) {
  return json::string_at(pod, {"spec", "nodeName"});
}

// True where the reserved labels of the two states differ.
bool changes_reserved_labels(const json::Value& now, const json::Value* before) {
  const json::Value none = json::Object{};
  const json::Value& old = before != nullptr ? *before : none;
  for (const auto& [key, value] : json::object_at(now, {"metadata", "labels"})) {
    if (!std::string_view(key).starts_with(kReserved)) continue;
    const json::Value* was = json::find(old, {"metadata", "labels", key});
    if (was == nullptr || !json::equal(*was, value)) return true;
  }
  for (const auto& [key, _] : json::object_at(old, {"metadata", "labels"})) {
    if (std::string_view(key).starts_with(kReserved) &&
        json::find(now, {"metadata", "labels", key}) == nullptr)
      return true;
  }
  return false;
}

}  // namespace

Result<> NodeRestriction::check_pod(const AdmissionRequest& request, std::string_view node) const {
  const auto own = [&](const json::Value& pod) { return node_of(pod) == node; };
  if (request.operation == Operation::kCreate && request.subresource.empty()) {
    if (!is_mirror_pod(*request.object)) {
      return admission_refused(
          request,
          fmt::format("pod does not have \"kubernetes.io/config.mirror\" annotation, node \"{}\" "
                      "can only create mirror pods",
                      node));
    }
    if (!own(*request.object))
      return admission_refused(
          request,
          fmt::format("node \"{}\" can only create pods with spec.nodeName set to itself", node));
    return Unit{};
  }
  const api::ObjectPtr stored = reader_.get("", "pods", {request.ns, request.name});
  const bool touches_own = stored && own(stored->parse());
  if (request.operation == Operation::kUpdate && request.subresource != "status") {
    return admission_refused(request,
                             fmt::format("node \"{}\" may only update the status of pods", node));
  }
  if (!touches_own) {
    return admission_refused(
        request,
        fmt::format("node \"{}\" can only {} pods with spec.nodeName set to itself", node,
                    request.operation == Operation::kDelete ? "delete" : "update status for"));
  }
  return Unit{};
}

Result<> NodeRestriction::check_node(const AdmissionRequest& request, std::string_view node) const {
  if (request.name != node) {
    return admission_refused(
        request,
        fmt::format("node \"{}\" is not allowed to modify node \"{}\"", node, request.name));
  }
  if (request.operation == Operation::kDelete) {
    return admission_refused(request,
                             fmt::format("node \"{}\" is not allowed to delete itself", node));
  }
  if (request.object == nullptr) return Unit{};
  if (changes_reserved_labels(*request.object, request.old_object)) {
    return admission_refused(
        request,
        fmt::format("node \"{}\" is not allowed to modify labels below {}", node, kReserved));
  }
  const bool taints_changed = request.old_object != nullptr &&
                              !json::equal(json::array_at(*request.object, {"spec", "taints"}),
                                           json::array_at(*request.old_object, {"spec", "taints"}));
  if (taints_changed && request.subresource.empty()) {
    return admission_refused(request,
                             fmt::format("node \"{}\" is not allowed to modify taints", node));
  }
  return Unit{};
}

Result<> NodeRestriction::check_token(const AdmissionRequest& request,
                                      std::string_view node) const {
  const json::Value& body = *request.object;
  const std::string_view name = json::string_at(body, {"spec", "boundObjectRef", "name"});
  if (json::string_at(body, {"spec", "boundObjectRef", "kind"}) != "Pod" || name.empty()) {
    return admission_refused(request, "node requested token not bound to a pod");
  }
  const api::ObjectPtr pod = reader_.get("", "pods", {request.ns, std::string(name)});
  if (!pod || node_of(pod->parse()) != node) {
    return admission_refused(request,
                             "node requested token bound to a pod scheduled on a different node");
  }
  return Unit{};
}

Task<> NodeRestriction::validate(const AdmissionRequest& request) {
  const std::string& user = request.user->name;
  if (!user.starts_with(kNodePrefix) || !request.user->in_group(kNodesGroup)) co_return Unit{};
  const std::string_view node = std::string_view(user).substr(kNodePrefix.size());
  const api::Gvr& resource = request.kind->gvr;
  if (resource.group.empty() && resource.resource == "pods") co_return check_pod(request, node);
  if (resource.group.empty() && resource.resource == "nodes") co_return check_node(request, node);
  if (resource.group == "coordination.k8s.io" && resource.resource == "leases") {
    const bool own = request.ns == "kube-node-lease" && request.name == node;
    if (own) co_return Unit{};
    co_return admission_refused(
        request, "can only access node lease with the same name as the requesting node");
  }
  if (resource.group.empty() && resource.resource == "serviceaccounts" &&
      request.subresource == "token") {
    co_return check_token(request, node);
  }
  co_return Unit{};
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/namespace_lifecycle.h"

#include <fmt/format.h>

#include "kernel/apiserver/contract/pod_parts.h"
#include "kernel/apiserver/contract/status.h"

namespace atl::apiserver {

Result<> NamespaceLifecycle::check(const AdmissionRequest& request) const {
  const bool is_namespace =
      request.kind->gvr.group.empty() && request.kind->gvr.resource == "namespaces";
  if (is_namespace) {
    const bool kept =
        request.name == "default" || request.name == "kube-system" || request.name == "kube-public";
    if (request.operation == Operation::kDelete && kept) {
      return admission_refused(request, "this namespace may not be deleted");
    }
    return Unit{};
  }
  if (request.ns.empty() || request.operation == Operation::kDelete ||
      request.operation == Operation::kConnect) {
    return Unit{};
  }
  // Actions on what is there (tokens, evictions) and questions make nothing.
  if (!request.subresource.empty() || request.kind->gvr.group == "authorization.k8s.io") {
    return Unit{};
  }
  const api::ObjectPtr ns = reader_.get("", "namespaces", {"", request.ns});
  if (!ns) return not_found("namespaces", request.ns);
  if (request.operation != Operation::kCreate || !ns->header().deleting) return Unit{};
  return admission_refused(
             request,
             fmt::format(
                 "unable to create new content in namespace {} because it is being terminated",
                 request.ns))
      .with_cause({"NamespaceTerminating",
                   fmt::format("namespace {} is being terminated", request.ns),
                   "metadata.namespace"});
}

Task<> NamespaceLifecycle::mutate(AdmissionRequest& request) {
  co_return check(request);
}

// Again at the end: other steps may have waited, and the namespace gone meanwhile.
Task<> NamespaceLifecycle::validate(const AdmissionRequest& request) {
  co_return check(request);
}

}  // namespace atl::apiserver

#pragma once

#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// A node (system:node:<name> in system:nodes) may change only what is its own: its Node and its
// Lease, the status and the deletion of pods that run on it, mirror pods bound to it, and tokens
// bound to its pods. Labels below node-restriction.kubernetes.io/ it may not set, taints it may set
// once, when it registers.
class NodeRestriction final : public Admission {
 public:
  explicit NodeRestriction(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "NodeRestriction"; }
  Task<> validate(const AdmissionRequest& request) override;

 private:
  Result<> check_pod(const AdmissionRequest& request, std::string_view node) const;
  Result<> check_node(const AdmissionRequest& request, std::string_view node) const;
  Result<> check_token(const AdmissionRequest& request, std::string_view node) const;
  const Reader& reader_;
};

}  // namespace atl::apiserver

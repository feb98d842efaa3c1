#pragma once

#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/authorizer.h"

namespace atl::apiserver {

// Certificate signing requests: who approves needs the verb "approve" on the signer, who writes a
// certificate the verb "sign"; nobody may ask a client signer for the group system:masters.
class CertificateAdmission final : public Admission {
 public:
  explicit CertificateAdmission(Authorizer& authorizer) : authorizer_(authorizer) {}
  std::string_view name() const override { return "Certificates"; }
  Task<> validate(const AdmissionRequest& request) override;

 private:
  Task<bool> may_use_signer(const AdmissionRequest& request, std::string verb, std::string signer);
  Authorizer& authorizer_;
};

}  // namespace atl::apiserver

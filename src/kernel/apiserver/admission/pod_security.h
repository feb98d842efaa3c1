#pragma once

#include "kernel/apiserver/admission.h"
#include "kernel/apiserver/admission/pod_security_rules.h"
#include "kernel/apiserver/reader.h"

namespace atl::apiserver {

// Holds pods to the level that their namespace's labels name: pod-security.kubernetes.io/enforce
// refuses, .../warn warns, also for templates of workloads. (.../audit is accepted; there is no
// audit log to write to yet.) Levels are those of Kubernetes 1.36 whatever version a label names.
// An unknown level is refused when the namespace is written.
class PodSecurity final : public Admission {
 public:
  explicit PodSecurity(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "PodSecurity"; }
  Task<> mutate(AdmissionRequest& request) override;  // warnings only
  Task<> validate(const AdmissionRequest& request) override;

 private:
  // "restricted:latest" and the level, of a namespace's label; privileged where there is none.
  struct Policy {
    SecurityLevel level = SecurityLevel::kPrivileged;
    std::string text;
  };
  Policy policy_of(std::string_view ns, std::string_view mode) const;
  Result<> check_namespace(const AdmissionRequest& request) const;
  const Reader& reader_;
};

}  // namespace atl::apiserver

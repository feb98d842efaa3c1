#pragma once

#include <functional>
#include <string>

#include "kernel/apiserver/admission/pod_security_rules.h"
#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/pod_parts.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Holds pods to the level that their namespace's labels name: pod-security.kubernetes.io/enforce
// refuses, .../warn warns and .../audit goes to the log, both also for templates of workloads. Who
// makes a namespace's level stricter is warned of the pods in it that break it. Levels are those of
// Kubernetes 1.36 whatever version a label names. An unknown level is refused when the namespace is
// written.
class PodSecurity final : public Admission {
 public:
  explicit PodSecurity(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "PodSecurity"; }
  Task<> mutate(AdmissionRequest& request) override;  // changes nothing: warnings and audit
  Task<> validate(const AdmissionRequest& request) override;

 private:
  // "restricted:latest" and the level, of a namespace's label; privileged where there is none.
  struct Policy {
    SecurityLevel level = SecurityLevel::kPrivileged;
    std::string text;
  };
  using LabelOf = std::function<std::string_view(std::string_view key)>;
  static Policy policy_in(const LabelOf& label, std::string_view mode);
  Policy policy_of(std::string_view ns, std::string_view mode) const;
  void warn_of_pods(AdmissionRequest& request) const;
  void audit(const AdmissionRequest& request, const PodSpecAt& at) const;
  Result<> check_namespace(const AdmissionRequest& request) const;
  const Reader& reader_;
};

}  // namespace atl::apiserver

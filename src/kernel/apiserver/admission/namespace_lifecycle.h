#pragma once

#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Nothing is made in a namespace that is missing (404) or being deleted (403), and default,
// kube-system and kube-public cannot be deleted.
class NamespaceLifecycle final : public Admission {
 public:
  explicit NamespaceLifecycle(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "NamespaceLifecycle"; }
  Task<> mutate(AdmissionRequest& request) override;
  Task<> validate(const AdmissionRequest& request) override;

 private:
  Result<> check(const AdmissionRequest& request) const;
  const Reader& reader_;
};

}  // namespace atl::apiserver

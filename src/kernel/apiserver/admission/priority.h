#pragma once

#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Resolves priorityClassName of pods to a number, or takes the class with globalDefault, or 0. At
// most one PriorityClass may be the global default.
class PriorityAdmission final : public Admission {
 public:
  explicit PriorityAdmission(const Reader& reader) : reader_(reader) {}
  std::string_view name() const override { return "Priority"; }
  Task<> mutate(AdmissionRequest& request) override;
  Task<> validate(const AdmissionRequest& request) override;

 private:
  Result<> set_priority(AdmissionRequest& request) const;
  const Reader& reader_;
};

}  // namespace atl::apiserver

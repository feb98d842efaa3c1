#pragma once

#include "kernel/apiserver/contract/admission.h"

namespace atl::apiserver {

// Pods stay 300 s on a node that is not ready or not reachable, unless they say otherwise.
class DefaultTolerationSeconds final : public Admission {
 public:
  std::string_view name() const override { return "DefaultTolerationSeconds"; }
  Task<> mutate(AdmissionRequest& request) override;
};

// New nodes start with the taint not-ready: nothing is scheduled before their network works.
class TaintNodesByCondition final : public Admission {
 public:
  std::string_view name() const override { return "TaintNodesByCondition"; }
  Task<> mutate(AdmissionRequest& request) override;
};

}  // namespace atl::apiserver

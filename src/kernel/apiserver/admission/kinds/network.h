#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Ingresses: at least a rule or a default backend, hosts, paths by their type, whole backends. No
// state.
class IngressHook final : public KindHook {
 public:
  std::string_view name() const override { return "ingress.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

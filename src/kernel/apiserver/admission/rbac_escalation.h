#pragma once

#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/contract/admission.h"

namespace atl::apiserver {

// Nobody hands out rights that he does not have. Who writes a Role or ClusterRole must hold all its
// permissions, or the verb "escalate" on it; who writes a binding must hold all permissions of its
// role, or the verb "bind" on the role. A ClusterRole that aggregates needs every permission there
// is: what it will collect cannot be known.
class RbacEscalation final : public Admission {
 public:
  RbacEscalation(const RbacAuthorizer& rbac, Authorizer& authorizer)
      : rbac_(rbac), authorizer_(authorizer) {}
  std::string_view name() const override { return "RbacEscalation"; }
  Task<> validate(const AdmissionRequest& request) override;

 private:
  Task<> check_role(const AdmissionRequest& request);
  Task<> check_binding(const AdmissionRequest& request);
  Task<bool> may(const AdmissionRequest& request, std::string verb, std::string resource,
                 std::string name);
  Result<> check_rules(const AdmissionRequest& request, const RbacRules& wanted,
                       std::string_view role_ns) const;

  const RbacAuthorizer& rbac_;
  Authorizer& authorizer_;
};

}  // namespace atl::apiserver

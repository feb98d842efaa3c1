#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Roles and ClusterRoles: whole rules, resources and paths never in one. No state.
class RoleHook final : public KindHook {
 public:
  std::string_view name() const override { return "role.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

// RoleBindings and ClusterRoleBindings: whole subjects; the role never changes. No state.
class RoleBindingHook final : public KindHook {
 public:
  std::string_view name() const override { return "rolebinding.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

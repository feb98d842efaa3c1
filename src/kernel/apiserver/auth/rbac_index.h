#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/select/select.h"
#include "kernel/apiserver/auth/rbac_rule.h"
#include "kernel/apiserver/contract/reader.h"

namespace atl::apiserver {

// Points to a Role or ClusterRole.
struct RoleRef {
  std::string kind;  // "Role" or "ClusterRole"
  std::string name;
  auto operator<=>(const RoleRef&) const = default;
};

// All Roles, ClusterRoles and their bindings, in the form in which requests ask: by subject.
//
// Owned by the RBAC authorizer; the Reader's executor only. Built from what the Reader holds, then
// follows every change as it is committed, so a binding counts from the next request on. A
// ClusterRole with an aggregationRule grants the rules of every ClusterRole that its selectors
// match at this moment (to any depth; cycles end) and nothing else: rules of its own are only their
// display.
class RbacIndex {
 public:
  explicit RbacIndex(Reader& reader);

  // One grant that applies to a user, in the order: cluster bindings, then those of the namespace.
  struct Grant {
    std::string binding_ns;  // empty: ClusterRoleBinding
    std::string binding;
    RoleRef role;
  };
  // `visit` returns false to stop. ns empty: cluster bindings only.
  void each_grant(const UserInfo& user, std::string_view ns,
                  const std::function<bool(const Grant&)>& visit) const;

  // The rules of a role (ns: where the binding stands). Null where the role does not exist.
  const RbacRules* rules(const RoleRef& role, std::string_view ns) const;
  // The rules that an aggregated ClusterRole collects, in order of the roles' names, each rule
  // once.
  RbacRules collected(std::string_view cluster_role) const;
  // Names of the ClusterRoles that have an aggregationRule.
  std::vector<std::string> aggregated() const;
  // Everything a user may do in the namespace (or, ns empty, at cluster scope).
  RbacRules rules_of(const UserInfo& user, std::string_view ns) const;
  // Names of roles that bindings of the user point to and that do not exist.
  std::vector<std::string> dangling(const UserInfo& user, std::string_view ns) const;

 private:
  struct ClusterRole {
    api::Labels labels;
    RbacRules rules;
    std::vector<api::LabelSelector> selectors;
    std::optional<RbacRules> effective;  // of an aggregated one; collected on demand
  };
  // Subject ("User/x", "Group/x", "ServiceAccount/ns/x") → namespace ("" for cluster) → binding →
  // role.
  using ByBinding = std::map<std::string, RoleRef, std::less<>>;
  using ByNamespace = std::map<std::string, ByBinding, std::less<>>;

  void follow(Reader& reader, std::string_view resource,
              void (RbacIndex::*change)(const api::ObjectPtr& now, const api::ObjectPtr& before));
  void change_role(const api::ObjectPtr& now, const api::ObjectPtr& before);
  void change_cluster_role(const api::ObjectPtr& now, const api::ObjectPtr& before);
  void change_binding(const api::ObjectPtr& now, const api::ObjectPtr& before);
  bool each_subject(const std::string& subject, std::string_view ns,
                    const std::function<bool(const Grant&)>& visit) const;
  void collect(const std::string& name, std::set<std::string>& seen, RbacRules& into) const;

  std::map<api::ObjectKey, RbacRules> roles_;
  mutable std::map<std::string, ClusterRole, std::less<>> cluster_roles_;  // mutable: `effective`
  std::map<std::string, ByNamespace, std::less<>> grants_;
  std::vector<std::shared_ptr<void>> listeners_;
};

}  // namespace atl::apiserver

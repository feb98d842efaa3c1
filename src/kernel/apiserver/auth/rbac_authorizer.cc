#include "kernel/apiserver/auth/rbac_authorizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/select/select.h"

namespace atl::apiserver {
namespace {

// list and watch of one object, by field selector, count as access to that name.
std::string selected_name(const Attributes& a) {
  if (!a.name.empty() || a.field_selector.empty()) return {};
  if (a.verb != "list" && a.verb != "watch" && a.verb != "deletecollection") return {};
  const auto selector = api::FieldSelector::parse(a.field_selector);
  if (!selector) return {};
  for (const api::FieldSelector::Term& term : selector->terms()) {
    if (term.field == "metadata.name" && term.equal) return term.value;
  }
  return {};
}

std::string granted_by(const RbacIndex::Grant& grant) {
  if (grant.binding_ns.empty()) {
    return fmt::format("RBAC: allowed by ClusterRoleBinding \"{}\" of {} \"{}\"", grant.binding,
                       grant.role.kind, grant.role.name);
  }
  return fmt::format("RBAC: allowed by RoleBinding \"{}/{}\" of {} \"{}\"", grant.binding_ns,
                     grant.binding, grant.role.kind, grant.role.name);
}

}  // namespace

Task<Decision> RbacAuthorizer::authorize(Attributes attributes) {
  co_return decide(attributes);
}

Decision RbacAuthorizer::decide(const Attributes& asked) const {
  if (asked.user->in_group(kGroupMasters)) {
    return {.allowed = true, .reason = "member of system:masters"};
  }
  std::optional<Attributes> named;
  if (std::string name = selected_name(asked); !name.empty()) {
    named = asked;
    named->name = std::move(name);
  }
  const Attributes& a = named ? *named : asked;
  const auto allows = [&](const RbacRule& rule) { return rule.allows(a); };
  Decision decision;
  std::string missing;
  const std::string_view ns = a.is_resource ? std::string_view(a.ns) : std::string_view();
  index_.each_grant(*a.user, ns, [&](const RbacIndex::Grant& grant) {
    const RbacRules* rules = index_.rules(grant.role, grant.binding_ns);
    if (rules == nullptr) {
      missing = grant.role.name;
    } else if (std::ranges::any_of(*rules, allows)) {
      decision = {.allowed = true, .reason = granted_by(grant)};
    }
    return !decision.allowed;
  });
  if (!decision.allowed && !missing.empty()) {
    decision.reason = fmt::format("RBAC: role \"{}\" of a binding not found", missing);
  }
  return decision;
}

}  // namespace atl::apiserver

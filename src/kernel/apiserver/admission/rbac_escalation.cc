#include "kernel/apiserver/admission/rbac_escalation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernel/apiserver/contract/pod_parts.h"
#include "kernel/apiserver/contract/status.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr size_t kShownRules = 20;

bool unchanged(const AdmissionRequest& request, std::initializer_list<std::string_view> fields) {
  if (request.old_object == nullptr) return false;
  for (const std::string_view field : fields) {
    const json::Value* now = json::find(*request.object, {field});
    const json::Value* before = json::find(*request.old_object, {field});
    const json::Value none;
    if (!json::equal(now != nullptr ? *now : none, before != nullptr ? *before : none))
      return false;
  }
  return true;
}

bool aggregates(const json::Value& role) {
  return !json::array_at(role, {"aggregationRule", "clusterRoleSelectors"}).empty();
}

}  // namespace

Task<bool> RbacEscalation::may(const AdmissionRequest& request, std::string verb,
                               std::string resource, std::string name) {
  CO_TRY(const Decision decision, co_await authorizer_.authorize({.user = request.user,
                                                                  .verb = std::move(verb),
                                                                  .group = std::string(kGroup),
                                                                  .version = "v1",
                                                                  .resource = std::move(resource),
                                                                  .ns = request.ns,
                                                                  .name = std::move(name)}));
  co_return decision.allowed;
}

Result<> RbacEscalation::check_rules(const AdmissionRequest& request, const RbacRules& wanted,
                                     std::string_view role_ns) const {
  auto missing = rules_beyond(rbac_.index().rules_of(*request.user, role_ns), wanted);
  if (!missing) return admission_refused(request, missing.error().message());
  if (missing->empty()) return Unit{};
  std::string list;
  for (size_t i = 0; i < missing->size() && i < kShownRules; ++i)
    list += "\n" + (*missing)[i].text();
  if (missing->size() > kShownRules)
    list += fmt::format("\nand {} more", missing->size() - kShownRules);
  std::vector<std::string> groups;
  for (const std::string& group : request.user->groups) groups.push_back("\"" + group + "\"");
  return admission_refused(
      request, fmt::format("user \"{}\" (groups=[{}]) is attempting to grant RBAC permissions not "
                           "currently held:{}",
                           request.user->name, fmt::join(groups, " "), list));
}

Task<> RbacEscalation::check_role(const AdmissionRequest& request) {
  if (unchanged(request, {"rules", "aggregationRule"})) co_return Unit{};
  CO_TRY(const bool escalates,
         co_await may(request, "escalate", request.kind->gvr.resource, request.name));
  if (escalates) co_return Unit{};
  RbacRules wanted = rules_from_document(*request.object);
  if (aggregates(*request.object)) {
    wanted.push_back({.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}});
    wanted.push_back({.verbs = {"*"}, .urls = {"*"}});
  }
  co_return check_rules(request, wanted, request.ns);
}

Task<> RbacEscalation::check_binding(const AdmissionRequest& request) {
  if (unchanged(request, {"roleRef", "subjects"})) co_return Unit{};
  const RoleRef role{std::string(json::string_at(*request.object, {"roleRef", "kind"})),
                     std::string(json::string_at(*request.object, {"roleRef", "name"}))};
  const std::string resource = role.kind == "Role" ? "roles" : "clusterroles";
  CO_TRY(const bool binds, co_await may(request, "bind", resource, role.name));
  if (binds) co_return Unit{};
  const RbacRules* wanted = rbac_.index().rules(role, request.ns);
  // What a missing role will hold one day nobody can check today.
  if (wanted == nullptr) co_return not_found(resource + "." + std::string(kGroup), role.name);
  co_return check_rules(request, *wanted, request.ns);
}

Task<> RbacEscalation::validate(const AdmissionRequest& request) {
  if (request.object == nullptr || request.kind->gvr.group != kGroup ||
      !request.subresource.empty())
    co_return Unit{};
  if (request.user->in_group(kGroupMasters)) co_return Unit{};
  const std::string& resource = request.kind->gvr.resource;
  if (resource == "roles" || resource == "clusterroles") co_return co_await check_role(request);
  co_return co_await check_binding(request);
}

}  // namespace atl::apiserver

#pragma once

#include <string_view>
#include <vector>

#include "api/client/client.h"
#include "base/async/task.h"
#include "base/text/json.h"
#include "kernel/apiserver/auth/rbac_rule.h"

namespace atl::apiserver {

// The roles and bindings that every instance has, as whole objects in the order in which they are
// to be made. From bootstrap_roles.json, whose short form is described in README.md beside it.
Result<std::vector<json::Value>> bootstrap_roles();
// The same from a text of that form.
Result<std::vector<json::Value>> read_bootstrap_roles(std::string_view text);

// The rules of one of its ClusterRoles. kInternal where there is none of that name.
Result<RbacRules> bootstrap_rules(std::string_view cluster_role);

// What a stored role or binding must become so that it holds at least what the bootstrap wants:
// rules and subjects that are missing are added, what people added stays; a subject that a binding
// had in an earlier version and must not have any more goes. Nothing where it is fine,
// or where the object carries rbac.authorization.kubernetes.io/autoupdate: "false".
std::optional<json::Value> reconciled(const json::Value& stored, const json::Value& wanted);

// Creates what is missing and mends what lost something; at every start, before requests are
// served. The namespaces of the namespaced ones must exist.
Task<> reconcile_bootstrap_roles(api::Client& client, std::vector<json::Value> wanted);

}  // namespace atl::apiserver

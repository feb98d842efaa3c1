#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text/json.h"
#include "kernel/apiserver/contract/authorizer.h"

namespace atl::apiserver {

// One PolicyRule of a Role or ClusterRole. Value type.
struct RbacRule {
  std::vector<std::string> verbs;
  std::vector<std::string> api_groups;
  std::vector<std::string> resources;       // "pods", "pods/log", "*/scale", "*"
  std::vector<std::string> resource_names;  // empty: every name
  std::vector<std::string> urls;            // nonResourceURLs: "/healthz", "/healthz/*", "*"
  bool operator==(const RbacRule&) const = default;

  static RbacRule from_document(const json::Value& rule);
  json::Value document() const;
  // `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`: as refusals name it.
  std::string text() const;

  bool allows(const Attributes& attributes) const;
};
using RbacRules = std::vector<RbacRule>;

RbacRules rules_from_document(const json::Value& role);  // of role.rules

// What of `wanted` is not within `held`: taken apart into single verbs, groups, resources and
// names, each of which one held rule must cover. Empty: nothing is missing. kForbidden where
// `wanted` is too large to take apart (more than 10 000 pieces that no single held rule covers at
// once).
Result<RbacRules> rules_beyond(const RbacRules& held, const RbacRules& wanted);

}  // namespace atl::apiserver

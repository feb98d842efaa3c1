#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/text/json.h"
#include "base/text/quantity.h"

// What objects ask for and use up, as limit ranges and quotas count it. Pure.
namespace atl::apiserver {

using ResourceAmounts = std::map<std::string, Quantity, std::less<>>;

// A map of amounts at a path; unreadable ones are left out (validation refuses them elsewhere).
ResourceAmounts read_amounts(const json::Value& object, json::Path path);
void add_amounts(ResourceAmounts& into, const ResourceAmounts& more);
void subtract_amounts(ResourceAmounts& from, const ResourceAmounts& less);

// What a whole pod needs ("requests" or "limits"): the sum of its containers and of those init
// containers that go on running, or the largest of the other init containers, plus the overhead.
ResourceAmounts pod_amounts(const json::Value& spec, std::string_view list);

// What one object counts for, by the keys of ResourceQuota.spec.hard: "pods", "requests.cpu",
// "count/deployments.apps", "services.nodeports" and so on.
ResourceAmounts quota_usage(std::string_view group, std::string_view resource,
                            const json::Value& object);

}  // namespace atl::apiserver

#pragma once

#include <string>
#include <string_view>

#include "base/text/json.h"

namespace atl::controllers {

// Whether a pod's template lets it be on a node: for controllers that give each node a pod, which
// must know before a pod is there for the scheduler to judge. Pure.

// nodeName, nodeSelector and required node affinity.
bool node_wanted(const json::Value& pod, const json::Value& node);
// Whether every taint of the node with this effect is tolerated.
bool taints_tolerated(const json::Value& pod, const json::Value& node, std::string_view effect);

// The node that a pod is on, or, before it is bound, the one its affinity names by
// metadata.name; empty where there is none.
std::string target_node(const json::Value& pod);
// Makes a pod's required node affinity name this one node, beside what it asks for already.
void pin_to_node(json::Value& pod, std::string_view node);

}  // namespace atl::controllers

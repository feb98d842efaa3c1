#pragma once

#include <string>
#include <vector>

#include "kernel/scheduler/cluster_state.h"

namespace atl::scheduler {

// Why a pod cannot go on a node, in the words that people know from Kubernetes; empty: it can.
// Pure. The first check that fails speaks alone, and resources name all that lack. Placement
// relative to other pods is Relations' part.
std::vector<std::string> fit(const PodInfo& pod, const NodeInfo& node);

// nodeSelector and required node affinity.
bool matches_node_affinity(const PodInfo& pod, const NodeInfo& node);
bool matches(const NodeTerm& term, const NodeInfo& node);
// The first taint of NoSchedule or NoExecute that nothing tolerates, or null.
const Taint* untolerated(const PodInfo& pod, const NodeInfo& node);

}  // namespace atl::scheduler

#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernel/scheduler/relations.h"

namespace atl::scheduler {

// How good each of the nodes that fit is for the pod: the weighted sum of least allocated and
// evenly used resources, preferred node affinity, tolerated soft taints, spread, wishes of pods,
// and images that are there. Higher is better; the same order as `nodes`. Pure.
std::vector<int64_t> score(const PodInfo& pod, const std::vector<const NodeInfo*>& nodes,
                           const Relations& relations, size_t all_nodes);

}  // namespace atl::scheduler

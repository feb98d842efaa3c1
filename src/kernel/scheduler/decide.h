#pragma once

#include <string>

#include "base/core/rng.h"
#include "kernel/scheduler/cluster_state.h"

namespace atl::scheduler {

struct Decision {
  std::string node;     // empty: nowhere
  std::string message;  // then why: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were
                        // unschedulable."
};

// The best node for a pod, or one sentence that says why there is none. Pure but for the dice among
// equals.
Decision decide(const PodInfo& pod, const ClusterState& cluster, Rng& rng);

}  // namespace atl::scheduler

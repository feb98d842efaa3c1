#pragma once

#include "kernel/scheduler/pod_info.h"

namespace atl::scheduler {

// What a pod asks for: containers and sidecars together, or the peak of its init containers,
// whichever is more; pod-level requests instead where given; overhead on top.
Amounts pod_requests(const json::Value& spec);

}  // namespace atl::scheduler

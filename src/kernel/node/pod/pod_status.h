#pragma once

#include <string>

#include "kernel/node/pod/pod_plan.h"

namespace atl::node {

struct StatusFacts {
  std::string host_ip;
  WallTime now{};
};

// status of the Pod, as kubectl users know it. `before` is the status on the server (conditions
// keep their transition times, entries of others are kept). Pure.
json::Value pod_status(const PodSpec& pod, const PodState& state, const StatusFacts& facts,
                       const json::Value& before);

// Conditions to start from: those of others as the server has them, ours as they were written last
// (the watch may lag).
json::Array newest_conditions(const json::Array& server, const json::Array& written);

// The merge patch that turns one status into the other; null where they are equal.
json::Value status_patch(const json::Value& before, const json::Value& after);

}  // namespace atl::node

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/node/pod/pod_state.h"

namespace atl::node {

enum class PodPhase : uint8_t { kPending, kRunning, kSucceeded, kFailed };
std::string_view text(PodPhase phase);

// The phase that containers' states and the restart policy give.
PodPhase phase_of(const PodSpec& pod, const PodState& state);
// Every init container has done its part (sidecars: has started).
bool initialized(const PodSpec& pod, const PodState& state);

struct StopOrder {
  std::string container;
  std::string reason;  // for the Killing event
  bool operator==(const StopOrder&) const = default;
};

struct PodPlan {
  std::vector<std::string> start;      // containers to start now
  std::vector<StopOrder> stop;         // to end now, with the grace of the pod
  bool needs_network = false;          // before anything is started
  bool tear_down = false;              // nothing runs and nothing will: network and volumes may go
  bool fail_deadline = false;          // activeDeadlineSeconds has passed
  std::optional<WallTime> look_again;  // when time alone changes the plan
};

// What to do next for a pod: pure, level-triggered, safe to repeat. Containers that are starting or
// stopping are left to their tasks.
PodPlan plan_pod(const PodSpec& pod, const PodState& state, WallTime now);

}  // namespace atl::node

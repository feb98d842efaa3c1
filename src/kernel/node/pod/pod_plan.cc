#include "kernel/node/pod/pod_plan.h"

#include <algorithm>

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;
using Role = ContainerSpec::Role;

// Whether a container that has ended is to run again, by its role, the pod's policy and its code.
bool runs_again(const PodSpec& pod, const ContainerSpec& spec, const ContainerState& c) {
  if (spec.role == Role::kSidecar) return true;
  const bool failed = !c.exited || c.exited->code != 0;
  if (spec.role == Role::kInit) return failed && pod.restart_policy != RestartPolicy::kNever;
  if (pod.restart_policy == RestartPolicy::kAlways) return true;
  return failed && pod.restart_policy == RestartPolicy::kOnFailure;
}

bool done_for_good(const PodSpec& pod, const ContainerSpec& spec, const ContainerState& c) {
  return c.phase == Phase::kExited && !runs_again(pod, spec, c);
}

bool any_main_began(const PodSpec& pod, const PodState& state) {
  return std::any_of(pod.containers.begin(), pod.containers.end(), [&](const ContainerSpec& c) {
    return c.role == Role::kMain && state.at(c.name).attempt >= 0;
  });
}

bool init_failed_for_good(const PodSpec& pod, const PodState& state) {
  if (any_main_began(pod, state)) return false;
  return std::any_of(pod.containers.begin(), pod.containers.end(), [&](const ContainerSpec& c) {
    const ContainerState& s = state.at(c.name);
    return c.role == Role::kInit && done_for_good(pod, c, s) && s.exited->code != 0;
  });
}

bool mains_done(const PodSpec& pod, const PodState& state) {
  return std::all_of(pod.containers.begin(), pod.containers.end(), [&](const ContainerSpec& c) {
    return c.role != Role::kMain || done_for_good(pod, c, state.at(c.name));
  });
}

struct Planner {
  const PodSpec& pod;
  const PodState& state;
  WallTime now;
  PodPlan plan;

  void look_at(WallTime when) {
    if (!plan.look_again || when < *plan.look_again) plan.look_again = when;
  }

  void start_when_due(const ContainerSpec& spec) {
    const ContainerState& c = state.at(spec.name);
    if (c.retry_at > now) return look_at(c.retry_at);
    plan.start.push_back(spec.name);
  }

  // True where the next init container may go on.
  bool step_init(const ContainerSpec& spec) {
    const ContainerState& c = state.at(spec.name);
    switch (c.phase) {
      case Phase::kNone:
        start_when_due(spec);
        return false;
      case Phase::kPulling:
      case Phase::kStarting:
      case Phase::kStopping:
        return false;
      case Phase::kRunning:
        return spec.role == Role::kSidecar && c.startup_passed;
      case Phase::kExited:
        if (spec.role == Role::kInit && c.exited && c.exited->code == 0) return true;
        if (runs_again(pod, spec, c)) start_when_due(spec);
        return false;
    }
    return false;
  }

  void start_missing() {
    bool go_on = true;
    for (const ContainerSpec& spec : pod.containers) {
      if (spec.role != Role::kMain && any_main_began(pod, state)) {
        // The pod is past its init containers: they do not run again, sidecars do.
        if (spec.role == Role::kSidecar) step_init(spec);
        continue;
      }
      if (spec.role != Role::kMain) {
        go_on = step_init(spec);
      } else {
        const ContainerState& c = state.at(spec.name);
        if (c.phase == Phase::kNone || (c.phase == Phase::kExited && runs_again(pod, spec, c)))
          start_when_due(spec);
      }
      if (!go_on) return;
    }
  }

  // Containers first, sidecars once those are gone, in the reverse order of their start.
  void stop_all(const std::string& reason) {
    bool mains_alive = false;
    for (const ContainerSpec& spec : pod.containers) {
      if (spec.role == Role::kSidecar) continue;
      const ContainerState& c = state.at(spec.name);
      mains_alive = mains_alive || c.alive();
      if (c.phase == Phase::kRunning) plan.stop.push_back({spec.name, reason});
    }
    if (mains_alive) return;
    for (auto it = pod.containers.rbegin(); it != pod.containers.rend(); ++it) {
      const ContainerState& c = state.at(it->name);
      if (it->role != Role::kSidecar || !c.alive()) continue;
      if (c.phase == Phase::kRunning) plan.stop.push_back({it->name, reason});
      return;
    }
    plan.tear_down = !state.torn_down;
  }
};

}  // namespace

std::string_view text(PodPhase phase) {
  switch (phase) {
    case PodPhase::kPending:
      return "Pending";
    case PodPhase::kRunning:
      return "Running";
    case PodPhase::kSucceeded:
      return "Succeeded";
    case PodPhase::kFailed:
      return "Failed";
  }
  return "Unknown";
}

bool initialized(const PodSpec& pod, const PodState& state) {
  if (any_main_began(pod, state)) return true;
  return std::all_of(pod.containers.begin(), pod.containers.end(), [&](const ContainerSpec& spec) {
    const ContainerState& c = state.at(spec.name);
    if (spec.role == Role::kMain) return true;
    if (spec.role == Role::kSidecar) return c.phase == Phase::kRunning && c.startup_passed;
    return c.phase == Phase::kExited && c.exited && c.exited->code == 0;
  });
}

PodPhase phase_of(const PodSpec& pod, const PodState& state) {
  // While something still runs, the pod has not failed yet: who counts pods may replace it then.
  if (!state.failure_reason.empty()) {
    const bool alive =
        std::any_of(pod.containers.begin(), pod.containers.end(),
                    [&](const ContainerSpec& spec) { return state.at(spec.name).alive(); });
    return alive ? PodPhase::kRunning : PodPhase::kFailed;
  }
  if (init_failed_for_good(pod, state)) return PodPhase::kFailed;
  if (!initialized(pod, state)) return PodPhase::kPending;
  bool all_done = true;
  bool any_failed = false;
  bool all_began = true;
  for (const ContainerSpec& spec : pod.containers) {
    if (spec.role != Role::kMain) continue;
    const ContainerState& c = state.at(spec.name);
    all_began = all_began &&
                (c.phase == Phase::kRunning || c.phase == Phase::kStopping || c.exited || c.last);
    all_done = all_done && done_for_good(pod, spec, c);
    any_failed = any_failed || (c.phase == Phase::kExited && c.exited && c.exited->code != 0);
  }
  if (all_done) return any_failed ? PodPhase::kFailed : PodPhase::kSucceeded;
  // A pod that was told to go and whose containers have ended says how they ended.
  if (pod.deleting && state.torn_down) return any_failed ? PodPhase::kFailed : PodPhase::kSucceeded;
  return all_began ? PodPhase::kRunning : PodPhase::kPending;
}

PodPlan plan_pod(const PodSpec& pod, const PodState& state, WallTime now) {
  Planner p{pod, state, now, {}};
  if (pod.deleting || !state.failure_reason.empty()) {
    p.stop_all(pod.deleting ? "Stopping container" : "Pod failed: " + state.failure_reason);
    return p.plan;
  }
  const PodPhase phase = phase_of(pod, state);
  if (phase == PodPhase::kSucceeded || phase == PodPhase::kFailed || mains_done(pod, state)) {
    p.stop_all("Stopping container");
    return p.plan;
  }
  if (pod.active_deadline && state.start_time != WallTime{}) {
    const WallTime end = state.start_time + *pod.active_deadline;
    if (now >= end) {
      p.plan.fail_deadline = true;
      return p.plan;
    }
    p.look_at(end);
  }
  p.start_missing();
  p.plan.needs_network = !state.network_ready && !p.plan.start.empty();
  return p.plan;
}

}  // namespace atl::node

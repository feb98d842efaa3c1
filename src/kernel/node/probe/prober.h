#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/text/json.h"
#include "kernel/node/probe/action.h"

namespace atl::node {

enum class ProbeKind : uint8_t { kStartup, kReadiness, kLiveness };
std::string_view text(ProbeKind kind);  // "Startup", "Readiness", "Liveness": as events say

struct ProbeSpec {
  json::Value action;
  Duration initial_delay = Duration::zero();
  Duration period = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(1);
  int success_threshold = 1;
  int failure_threshold = 3;
  std::optional<Duration> grace;  // terminationGracePeriodSeconds
};
// Nothing where the container has no such probe.
std::optional<ProbeSpec> probe_of(const json::Value& container, ProbeKind kind);

// Counts results up to the thresholds. Value type.
class ProbeCounter {
 public:
  explicit ProbeCounter(const ProbeSpec& spec)
      : success_(spec.success_threshold), failure_(spec.failure_threshold) {}
  // The verdict after this result: true healthy, false unhealthy, nothing while a threshold is not
  // reached.
  std::optional<bool> add(bool ok);

 private:
  int success_;
  int failure_;
  int run_ = 0;
  bool last_ = false;
};

struct ProbeEvents {
  std::function<void(bool healthy)> verdict;               // each time a threshold is reached
  std::function<void(const std::string& message)> failed;  // each failed try
  std::function<bool()> wanted;  // asked before each try; false ends the probe
};

// Probes until cancelled or not wanted any more. A startup probe ends with its first healthy
// verdict.
Async<void> run_probe(ProbeKind kind, ProbeSpec spec, ActionTarget target, ActionRunner& runner,
                      Timer& timer, ProbeEvents events);

}  // namespace atl::node

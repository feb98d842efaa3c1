#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/core/clock.h"
#include "base/text/json.h"
#include "kernel/node/pod/pod_spec.h"

// What the node knows about a pod it runs. Plain values: plan and status are computed from them,
// and they are what a restarted agent reads back.
namespace atl::node {

struct Termination {
  int code = 0;
  int signal = 0;
  std::string reason;  // Completed, Error, OOMKilled, StartError, ContainerStatusUnknown …
  std::string message;
  WallTime started{};
  WallTime finished{};
  std::string id;
};

struct ContainerState {
  enum class Phase : uint8_t {
    kNone,      // no attempt, or the last one could not be made (waiting says why)
    kStarting,  // a task is at it
    kRunning,
    kStopping,  // asked to end
    kExited,
    kPulling,  // a task is at it, and nothing of the run exists yet
  };
  Phase phase = Phase::kNone;
  int attempt = -1;   // of the newest run; names its folder and log
  int restarts = 0;   // restartCount
  std::string id;     // of the newest run
  std::string image;  // what the status shows
  std::string image_id;
  WallTime started{};
  std::optional<Termination> exited;  // kExited
  std::optional<Termination> last;    // the run before
  // Why it does not run; shown while phase is kNone, or kExited and about to be started again.
  std::string waiting_reason;
  std::string waiting_message;
  WallTime retry_at{};  // no new attempt before
  int crashes = 0;      // in a row, for the back-off
  int pull_failures = 0;
  // Probes; not kept over a restart of the agent except through `ready`.
  bool startup_passed = false;
  bool ready = false;

  // It does not run, for this reason, until a time.
  void wait(std::string reason, std::string message, WallTime until);

  bool alive() const {
    return phase == Phase::kRunning || phase == Phase::kStopping || phase == Phase::kStarting;
  }
};

struct PodState {
  WallTime start_time{};
  std::string ip;
  bool network_ready = false;
  bool torn_down = false;  // network and volumes are gone
  std::string
      failure_reason;  // not empty: the pod has failed for this, whatever its containers say
  std::string failure_message;
  std::map<std::string, ContainerState, std::less<>> containers;

  ContainerState& of(const std::string& container) { return containers[container]; }
  // An empty state where there is none.
  const ContainerState& at(std::string_view container) const;
};

json::Value to_json(const PodState& state);
// Reads through what is missing; nothing where it is no object.
std::optional<PodState> pod_state_from(const json::Value& value);

// The pause before restart number `crashes`: 0, 10 s, 20 s … 5 min.
Duration crash_backoff(int crashes);
// Before the next try of a pull: 10 s, 20 s … 5 min.
Duration pull_backoff(int failures);
// A run this long makes the next crash the first one again.
inline constexpr Duration kCrashReset = std::chrono::minutes(10);

}  // namespace atl::node

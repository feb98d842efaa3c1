#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/core/clock.h"
#include "base/text/json.h"

// The decisions of the Deployment controller: pure, so that each rule is a row of a table.
namespace atl::controllers {

// One ReplicaSet of the Deployment.
struct SetView {
  std::string name;
  WallTime created{};
  int64_t size = 0;                                                 // spec.replicas
  int64_t replicas = 0, ready = 0, available = 0, terminating = 0;  // status
  int64_t revision = 0;            // annotation deployment.kubernetes.io/revision
  std::optional<int64_t> desired;  // annotation deployment.kubernetes.io/desired-replicas
  int64_t max_replicas = 0;        // annotation deployment.kubernetes.io/max-replicas
  bool observed = true;            // its controller has seen its newest spec
  bool deleting = false;
  json::Value failure;  // its ReplicaFailure condition, or null
};

enum class Strategy : uint8_t { kRollingUpdate, kRecreate };

struct DeploymentView {
  std::string name;
  Strategy strategy = Strategy::kRollingUpdate;
  int64_t want = 1;
  int64_t max_surge = 0;
  int64_t max_unavailable = 0;
  bool paused = false;
  std::optional<int64_t> history_limit;
  std::optional<Duration> progress_deadline;
  int64_t generation = 0;
  json::Value status;  // as it stands
};

// The sets, the current one apart.
struct Sets {
  std::optional<SetView> current;  // has the Deployment's template
  std::vector<SetView> old;
  bool old_pods_running = false;  // some pod of an old set has not ended yet
};

struct Resize {
  std::string set;
  int64_t from = 0;
  int64_t to = 0;
  bool operator==(const Resize&) const = default;
};

// One step; the next follows when the sets have changed.
struct DeploymentPlan {
  std::optional<int64_t> create;    // a set for the template, of this size
  std::vector<Resize> resize;       // from == to: only the annotations
  std::vector<std::string> remove;  // history past its limit
  bool operator==(const DeploymentPlan&) const = default;
};

DeploymentPlan plan(const DeploymentView& deployment, const Sets& sets);

// Fills in max_surge and max_unavailable from spec.strategy; never both 0.
void resolve_bounds(const json::Value& document, DeploymentView& view);

// What status should say.
struct DeploymentStatus {
  json::Object document;
  Duration again{0};  // when progress has to be judged next; 0: never
};
enum class Judge : uint8_t { kCountsOnly, kProgressToo };
DeploymentStatus status_of(const DeploymentView& deployment, const Sets& sets, Judge judge,
                           WallTime now);
// True when status says that the rollout is done.
bool complete(const DeploymentView& deployment, const json::Value& status);

}  // namespace atl::controllers

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/controllers/job_indexes.h"
#include "kernel/controllers/pod_view.h"

namespace atl::controllers {

inline constexpr std::string_view kJobTrackingFinalizer = "batch.kubernetes.io/job-tracking";
inline constexpr int64_t kNoIndex = -1;

// spec of a Job.
struct JobSpec {
  explicit JobSpec(const json::Value& job);
  std::optional<int64_t> completions;  // nothing: a work queue, done when one pod says so
  int64_t parallelism = 1;
  int64_t backoff_limit = 6;
  std::optional<int64_t> per_index_limit;
  std::optional<int64_t> max_failed_indexes;
  std::optional<Duration> deadline;
  bool indexed = false;
  bool suspend = false;
  bool restarts_in_place = false;    // restartPolicy OnFailure
  bool replace_only_failed = false;  // a pod that is being deleted is not replaced before its end
  bool deleting = false;
  json::Value failure_policy, success_policy;
};

// status of a Job, as far as its plan reads and changes it.
struct JobStatus {
  JobStatus() = default;
  JobStatus(const json::Value& job, const JobSpec& spec);
  int64_t active = 0, ready = 0, terminating = 0, succeeded = 0, failed = 0;
  IndexSet completed, failed_indexes;
  // uids of ended pods that are counted once their finalizer is gone: no pod counts twice or never.
  std::set<std::string> uncounted_succeeded, uncounted_failed;
  std::optional<WallTime> start, completion;
  json::Array conditions;

  bool has(std::string_view condition) const;
  bool finished() const { return has("Complete") || has("Failed"); }
};

// A pod of the Job.
struct JobPod {
  static JobPod of(const api::Object& object);
  PodView view;
  json::Value document;
  bool tracked = false;  // carries the finalizer
  int64_t index = kNoIndex;
  int64_t earlier_failures = 0;  // of its index, where each index has a limit
  int64_t restarts = 0;          // of all its containers together
  WallTime ended{};
};

// How often pods failed in a row, and when last: the wait before the next one. Kept in memory; a
// controller that starts anew begins without waits.
struct JobBackoff {
  int64_t failures = 0;
  WallTime last{};
  // Until the next pod may be made: 10 s, then twice as long each time, 10 minutes at most.
  Duration wait(WallTime now) const;
};

struct JobChild {
  int64_t index = kNoIndex;
  int64_t earlier_failures = 0;
};

struct JobEvent {
  bool warning = false;
  std::string reason, message;
};

struct JobPlan {
  JobStatus status;
  std::vector<JobChild> create;
  std::vector<PodView> remove;          // their end counts
  std::vector<PodView> discard;         // lose their finalizer first: nobody asked for their end
  std::vector<api::ObjectKey> release;  // pods whose finalizer goes, once the status is written
  std::vector<JobEvent> events;
  JobBackoff backoff;
  Duration again{0};
};

// What a Job's pods and its own status ask for. Pure. `pending`: indexes (kNoIndex without) of pods
// created that `pods` does not show yet; pods already told to go are in `pods` as deleting.
//
// An ended pod is counted in three steps, each of which may be the last before a crash: its uid is
// written to status.uncountedTerminatedPods; its finalizer is removed; it is counted and its uid
// dropped. Completed indexes are a set and need no such care. A Job that has reached its end
// first says so (SuccessCriteriaMet, FailureTarget), then waits for its last pods, and only then is
// Complete or Failed.
JobPlan plan(const JobSpec& spec, const JobStatus& status, const std::vector<JobPod>& pods,
             const std::vector<int64_t>& pending, const JobBackoff& backoff, WallTime now);

}  // namespace atl::controllers

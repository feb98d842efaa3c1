#include "kernel/controllers/job_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "api/controller/conditions.h"
#include "base/core/seconds.h"
#include "kernel/controllers/job_policy.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstWait = 10s;
constexpr Duration kLongestWait = 10min;
constexpr int64_t kDoublingsMax = 6;
constexpr size_t kBurst = 500;  // pods created or deleted in one go
constexpr std::string_view kIndexAnnotation = "batch.kubernetes.io/job-completion-index";
constexpr std::string_view kFailuresAnnotation = "batch.kubernetes.io/job-index-failure-count";

std::optional<int64_t> number_at(const json::Value& root, json::Path path) {
  const json::Value* value = json::find(root, path);
  if (!value || !value->is_number()) return std::nullopt;
  return value->to_number<int64_t>();
}

std::optional<WallTime> moment_at(const json::Value& root, json::Path path) {
  return json::find(root, path) ? std::optional(api::time_at(root, path)) : std::nullopt;
}

json::Value part_at(const json::Value& root, json::Path path) {
  const json::Value* value = json::find(root, path);
  return value ? *value : json::Value();
}

int64_t annotation(const json::Value& pod, std::string_view name, int64_t otherwise) {
  const std::string_view text = json::string_at(pod, {"metadata", "annotations", name});
  int64_t out = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::set<std::string> uids_at(const json::Value& job, std::string_view which) {
  std::set<std::string> out;
  for (const json::Value& uid : json::array_at(job, {"status", "uncountedTerminatedPods", which})) {
    if (uid.is_string()) out.emplace(uid.as_string());
  }
  return out;
}

void add_condition(json::Array& conditions, api::Condition wanted, WallTime now) {
  if (!api::set_condition(conditions, wanted, now)) return;
  for (json::Value& entry : conditions) {
    if (json::string_at(entry, {"type"}) == wanted.type)
      entry.as_object()["lastProbeTime"] = rfc3339(now);
  }
}

void sooner(Duration& again, Duration wait) {
  if (wait > Duration(0)) again = again == Duration(0) ? wait : std::min(again, wait);
}

// One run of plan(): what was read, and the plan as it grows.
struct Planner {
  const JobSpec& spec;
  const std::vector<JobPod>& pods;
  const std::vector<int64_t>& pending;
  WallTime now;
  JobPlan todo;
  std::optional<api::Condition> end;  // FailureTarget or SuccessCriteriaMet
  std::map<int64_t, int64_t> retry;   // index → failures so far, where each index has a limit
  std::map<int64_t, JobBackoff> index_waits;

  bool failed(const JobPod& pod) const {
    if (pod.view.phase == "Failed") return true;
    return !spec.replace_only_failed && pod.view.deleting && pod.view.phase != "Succeeded";
  }
  bool ended(const JobPod& pod) const { return pod.view.phase == "Succeeded" || failed(pod); }
  bool active(const JobPod& pod) const { return !pod.view.deleting && !pod.view.finished(); }
  bool index_valid(const JobPod& pod) const {
    return !spec.indexed || (pod.index >= 0 && pod.index < spec.completions.value_or(0));
  }

  void settle();
  void count();
  void count_failure(const JobPod& pod);
  bool retried(const JobPod& pod) const;
  void tally();
  void recall_end();
  void find_end();
  std::optional<api::Condition> failure() const;
  std::optional<api::Condition> success() const;
  void finish();
  void manage();
  void suspend();
  void remove_surplus(int64_t surplus);
  void make(int64_t missing);
  void make_indexed(int64_t missing);
};

// Counts what has lost its finalizer.
void Planner::settle() {
  std::set<std::string> tracked;
  for (const JobPod& pod : pods) {
    if (pod.tracked) tracked.insert(pod.view.uid);
  }
  const auto gone = [&](const std::string& uid) { return !tracked.contains(uid); };
  todo.status.succeeded += int64_t(std::erase_if(todo.status.uncounted_succeeded, gone));
  todo.status.failed += int64_t(std::erase_if(todo.status.uncounted_failed, gone));
}

// Another pod of the same index has taken over from this one.
bool Planner::retried(const JobPod& pod) const {
  const auto age = [this](const JobPod& one) {
    return std::tuple(one.earlier_failures, !failed(one), one.view.created,
                      std::string_view(one.view.uid));
  };
  return std::any_of(pods.begin(), pods.end(), [&](const JobPod& other) {
    return other.index == pod.index && age(other) > age(pod);
  });
}

void Planner::count_failure(const JobPod& pod) {
  const bool noted = todo.status.uncounted_failed.contains(pod.view.uid);
  const FailureVerdict verdict = judge_failure(spec.failure_policy, pod.document);
  if (verdict.action == FailureAction::kFailJob && !end)
    end = api::Condition{"FailureTarget", "True", "PodFailurePolicy", verdict.message};
  if (spec.per_index_limit && index_valid(pod)) {
    const bool fails =
        verdict.action == FailureAction::kFailIndex ||
        (verdict.action == FailureAction::kCount && pod.earlier_failures >= *spec.per_index_limit);
    if (fails) {
      todo.status.failed_indexes.add(pod.index);
    } else if (!todo.status.completed.contains(pod.index) && !retried(pod)) {
      // The next pod of this index must know how many failed before it: this one stays until then.
      const int64_t counted = verdict.action == FailureAction::kIgnore ? 0 : 1;
      int64_t& failures = retry[pod.index];
      failures = std::max(failures, pod.earlier_failures + counted);
      index_waits[pod.index] = {failures, pod.ended};
      if (!todo.status.finished() && !end && !spec.deleting) return;
    }
  }
  todo.release.push_back(
      {std::string(json::string_at(pod.document, {"metadata", "namespace"})), pod.view.name});
  if (noted || verdict.action == FailureAction::kIgnore || !index_valid(pod)) return;
  todo.status.uncounted_failed.insert(pod.view.uid);
  ++todo.backoff.failures;
  todo.backoff.last = std::max(todo.backoff.last, pod.ended);
}

void Planner::count() {
  for (const JobPod& pod : pods) {
    if (!pod.tracked) continue;
    if (pod.view.phase == "Succeeded") {
      todo.release.push_back(
          {std::string(json::string_at(pod.document, {"metadata", "namespace"})), pod.view.name});
      bool fresh = false;
      if (spec.indexed) {
        fresh = index_valid(pod) && todo.status.completed.add(pod.index);
      } else {
        fresh = todo.status.uncounted_succeeded.insert(pod.view.uid).second;
      }
      if (fresh) todo.backoff = {};
    } else if (failed(pod)) {
      count_failure(pod);
    } else if (spec.deleting) {
      todo.release.push_back(
          {std::string(json::string_at(pod.document, {"metadata", "namespace"})), pod.view.name});
    }
  }
}

void Planner::tally() {
  JobStatus& status = todo.status;
  status.active = int64_t(pending.size());
  status.ready = status.terminating = 0;
  for (const JobPod& pod : pods) {
    status.active += active(pod);
    status.ready += active(pod) && pod.view.ready;
    status.terminating += pod.view.deleting && !pod.view.finished();
  }
  if (spec.indexed) status.succeeded = status.completed.size();
}

std::optional<api::Condition> Planner::failure() const {
  const auto because = [](std::string reason, std::string message) {
    return api::Condition{"FailureTarget", "True", std::move(reason), std::move(message)};
  };
  const JobStatus& status = todo.status;
  const int64_t failures = status.failed + int64_t(status.uncounted_failed.size());
  int64_t restarts = 0;
  for (const JobPod& pod : pods) restarts += active(pod) ? pod.restarts : 0;
  const bool too_many_restarts =
      spec.restarts_in_place && restarts > 0 && restarts >= spec.backoff_limit;
  if (failures > spec.backoff_limit || too_many_restarts)
    return because("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  if (spec.deadline && status.start && !spec.suspend && now >= *status.start + *spec.deadline)
    return because("DeadlineExceeded", "Job was active longer than specified deadline");
  const int64_t failed_indexes = status.failed_indexes.size();
  if (spec.max_failed_indexes && failed_indexes > *spec.max_failed_indexes) {
    return because("MaxFailedIndexesExceeded",
                   "Job has exceeded the specified maximal number of failed indexes");
  }
  if (failed_indexes > 0 && spec.completions &&
      failed_indexes + status.completed.size() >= *spec.completions)
    return because("FailedIndexes", "Job has failed indexes");
  return std::nullopt;
}

std::optional<api::Condition> Planner::success() const {
  const JobStatus& status = todo.status;
  if (!spec.success_policy.is_null()) {
    if (const auto met =
            met_success_rule(spec.success_policy, status.completed, spec.completions.value_or(0)))
      return api::Condition{"SuccessCriteriaMet", "True", "SuccessPolicy", *met};
  }
  const int64_t succeeded = status.succeeded + int64_t(status.uncounted_succeeded.size());
  const bool reached = spec.completions ? succeeded >= *spec.completions && !spec.suspend
                                        : succeeded > 0 && status.active == 0;
  if (!reached) return std::nullopt;
  return api::Condition{"SuccessCriteriaMet", "True", "CompletionsReached",
                        "Reached expected number of succeeded pods"};
}

// An end that was told before stands.
void Planner::recall_end() {
  for (const char* type : {"FailureTarget", "SuccessCriteriaMet"}) {
    const json::Value* there = api::find_condition(todo.status.conditions, type);
    if (!there || json::string_at(*there, {"status"}) != "True") continue;
    end = api::Condition{type, "True", std::string(json::string_at(*there, {"reason"})),
                         std::string(json::string_at(*there, {"message"}))};
    return;
  }
}

void Planner::find_end() {
  if (!end) end = failure();
  if (!end) end = success();
  if (end) add_condition(todo.status.conditions, *end, now);
}

// Away with what still runs; the last word once nothing does.
void Planner::finish() {
  for (const JobPod& pod : pods) {
    if (active(pod)) todo.remove.push_back(pod.view);
  }
  JobStatus& status = todo.status;
  const bool tracked =
      std::any_of(pods.begin(), pods.end(), [](const JobPod& pod) { return pod.tracked; });
  const bool quiet = status.active == 0 && status.terminating == 0 && !tracked &&
                     status.uncounted_failed.empty() && status.uncounted_succeeded.empty();
  if (!quiet) return;
  const bool good = end->type == "SuccessCriteriaMet";
  add_condition(status.conditions,
                {good ? "Complete" : "Failed", "True", end->reason, end->message}, now);
  if (good) {
    status.completion = now;
    todo.events.push_back({false, "Completed", "Job completed"});
  } else {
    todo.events.push_back({true, end->reason, end->message});
  }
}

void Planner::suspend() {
  for (const JobPod& pod : pods) {
    if (active(pod)) todo.discard.push_back(pod.view);
  }
  if (!todo.status.has("Suspended")) {
    add_condition(todo.status.conditions, {"Suspended", "True", "JobSuspended", "Job suspended"},
                  now);
    todo.events.push_back({false, "Suspended", "Job suspended"});
  }
}

void Planner::remove_surplus(int64_t surplus) {
  std::vector<PodView> candidates;
  for (const JobPod& pod : pods) {
    if (active(pod)) candidates.push_back(pod.view);
  }
  sort_for_removal(candidates, now);
  candidates.resize(std::min({candidates.size(), size_t(surplus), kBurst}));
  todo.discard = std::move(candidates);
}

void Planner::make_indexed(int64_t missing) {
  std::set<int64_t> taken(pending.begin(), pending.end());
  for (const JobPod& pod : pods) {
    const bool holds = active(pod) || (spec.replace_only_failed && !ended(pod));
    if (holds && index_valid(pod)) taken.insert(pod.index);
  }
  for (int64_t index = 0; index < *spec.completions && missing > 0; ++index) {
    if (taken.contains(index) || todo.status.completed.contains(index) ||
        todo.status.failed_indexes.contains(index))
      continue;
    if (const auto wait = index_waits.find(index); wait != index_waits.end()) {
      if (const Duration left = wait->second.wait(now); left > Duration(0)) {
        sooner(todo.again, left);
        continue;
      }
    }
    const auto failures = retry.find(index);
    todo.create.push_back({index, failures == retry.end() ? 0 : failures->second});
    --missing;
  }
}

void Planner::make(int64_t missing) {
  missing = std::min(missing, int64_t(kBurst));
  if (!spec.per_index_limit) {
    if (const Duration wait = todo.backoff.wait(now); wait > Duration(0)) {
      sooner(todo.again, wait);
      return;
    }
  }
  if (spec.indexed && spec.completions) return make_indexed(missing);
  todo.create.resize(size_t(missing));
}

void Planner::manage() {
  JobStatus& status = todo.status;
  if (status.has("Suspended")) {
    add_condition(status.conditions, {"Suspended", "False", "JobResumed", "Job resumed"}, now);
    todo.events.push_back({false, "Resumed", "Job resumed"});
    status.start = now;
  }
  if (!status.start) status.start = now;
  const int64_t succeeded = status.succeeded + int64_t(status.uncounted_succeeded.size());
  int64_t want = spec.parallelism;
  if (spec.completions) {
    want = std::min(want, *spec.completions - succeeded - status.failed_indexes.size());
  } else if (succeeded > 0) {
    want = std::min(want, status.active);
  }
  want = std::max<int64_t>(0, want);
  if (status.active > want) remove_surplus(status.active - want);
  const int64_t busy = status.active + (spec.replace_only_failed ? status.terminating : 0);
  if (busy < want) make(want - busy);
  if (spec.deadline) sooner(todo.again, *status.start + *spec.deadline - now);
}

}  // namespace

JobSpec::JobSpec(const json::Value& job)
    : completions(number_at(job, {"spec", "completions"})),
      parallelism(json::int_at(job, {"spec", "parallelism"}, 1)),
      backoff_limit(json::int_at(job, {"spec", "backoffLimit"}, 6)),
      per_index_limit(number_at(job, {"spec", "backoffLimitPerIndex"})),
      max_failed_indexes(number_at(job, {"spec", "maxFailedIndexes"})),
      indexed(json::string_at(job, {"spec", "completionMode"}) == "Indexed"),
      suspend(json::bool_at(job, {"spec", "suspend"})),
      restarts_in_place(json::string_at(job, {"spec", "template", "spec", "restartPolicy"}) ==
                        "OnFailure"),
      replace_only_failed(json::string_at(job, {"spec", "podReplacementPolicy"}) == "Failed"),
      deleting(json::find(job, {"metadata", "deletionTimestamp"}) != nullptr),
      failure_policy(part_at(job, {"spec", "podFailurePolicy"})),
      success_policy(part_at(job, {"spec", "successPolicy"})) {
  if (const auto seconds = number_at(job, {"spec", "activeDeadlineSeconds"}))
    deadline = seconds_of(*seconds);
}

JobStatus::JobStatus(const json::Value& job, const JobSpec& spec)
    : succeeded(json::int_at(job, {"status", "succeeded"})),
      failed(json::int_at(job, {"status", "failed"})),
      completed(IndexSet::parse(json::string_at(job, {"status", "completedIndexes"}),
                                spec.completions.value_or(0))),
      failed_indexes(IndexSet::parse(json::string_at(job, {"status", "failedIndexes"}),
                                     spec.completions.value_or(0))),
      uncounted_succeeded(uids_at(job, "succeeded")),
      uncounted_failed(uids_at(job, "failed")),
      start(moment_at(job, {"status", "startTime"})),
      completion(moment_at(job, {"status", "completionTime"})),
      conditions(json::array_at(job, {"status", "conditions"})) {}

bool JobStatus::has(std::string_view condition) const {
  return api::condition_is(conditions, condition, "True");
}

JobPod JobPod::of(const api::Object& object) {
  JobPod pod;
  pod.view = view_pod(object);
  pod.document = object.parse();
  for (const json::Value& value : json::array_at(pod.document, {"metadata", "finalizers"}))
    pod.tracked = pod.tracked || value == json::Value(kJobTrackingFinalizer);
  pod.index = annotation(pod.document, kIndexAnnotation, kNoIndex);
  pod.earlier_failures = annotation(pod.document, kFailuresAnnotation, 0);
  pod.ended = api::time_at(pod.document, {"metadata", "deletionTimestamp"});
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const json::Value& status : json::array_at(pod.document, {"status", list})) {
      pod.restarts += json::int_at(status, {"restartCount"});
      pod.ended = std::max(pod.ended, api::time_at(status, {"state", "terminated", "finishedAt"}));
    }
  }
  return pod;
}

Duration JobBackoff::wait(WallTime now) const {
  if (failures == 0) return Duration(0);
  const Duration whole =
      std::min(kLongestWait, kFirstWait * (int64_t(1) << std::min(failures - 1, kDoublingsMax)));
  return std::max(Duration(0), last + whole - now);
}

JobPlan plan(const JobSpec& spec, const JobStatus& status, const std::vector<JobPod>& pods,
             const std::vector<int64_t>& pending, const JobBackoff& backoff, WallTime now) {
  Planner planner{spec, pods, pending, now, {}, {}, {}, {}};
  planner.todo.status = status;
  planner.todo.backoff = backoff;
  planner.settle();
  planner.recall_end();
  planner.count();
  planner.tally();
  if (spec.deleting || status.finished()) return std::move(planner.todo);
  planner.find_end();
  if (planner.end) {
    planner.finish();
  } else if (spec.suspend) {
    planner.suspend();
  } else {
    planner.manage();
  }
  return std::move(planner.todo);
}

}  // namespace atl::controllers

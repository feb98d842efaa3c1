// What a Deployment's status says: counts, and the conditions Available, Progressing and
// ReplicaFailure.
#include "api/controller/conditions.h"
#include "kernel/controllers/deployment_plan.h"

namespace atl::controllers {
namespace {

constexpr auto kTimes = api::ConditionTimes::kTransitionAndUpdate;

template <class F>
int64_t sum(const Sets& sets, F field) {
  int64_t total = sets.current ? field(*sets.current) : 0;
  for (const SetView& set : sets.old) total += field(set);
  return total;
}

json::Object counts(const DeploymentView& d, const Sets& sets) {
  json::Object status{{"observedGeneration", d.generation}};
  const auto put = [&](std::string_view field, int64_t value) {
    if (value > 0) status[field] = value;
  };
  const int64_t available = sum(sets, [](const SetView& s) { return s.available; });
  put("replicas", sum(sets, [](const SetView& s) { return s.replicas; }));
  put("updatedReplicas", sets.current ? sets.current->replicas : 0);
  put("readyReplicas", sum(sets, [](const SetView& s) { return s.ready; }));
  put("availableReplicas", available);
  put("unavailableReplicas", sum(sets, [](const SetView& s) { return s.size; }) - available);
  status["terminatingReplicas"] = sum(sets, [](const SetView& s) { return s.terminating; });
  if (const json::Value* collisions = json::find(d.status, {"collisionCount"}))
    status["collisionCount"] = *collisions;
  return status;
}

bool progressed(const json::Value& before, const json::Value& now) {
  const auto old_pods = [](const json::Value& status) {
    return json::int_at(status, {"replicas"}) - json::int_at(status, {"updatedReplicas"});
  };
  const auto grew = [&](std::string_view field) {
    return json::int_at(now, {field}) > json::int_at(before, {field});
  };
  return grew("updatedReplicas") || grew("readyReplicas") || grew("availableReplicas") ||
         old_pods(now) < old_pods(before);
}

std::string subject(const DeploymentView& d, const Sets& sets) {
  return sets.current ? "ReplicaSet \"" + sets.current->name + "\""
                      : "Deployment \"" + d.name + "\"";
}

// Pausing and resuming restart the clock of progress.
void note_pause(const DeploymentView& d, json::Array& conditions, WallTime now) {
  const json::Value* entry = api::find_condition(conditions, "Progressing");
  const std::string_view reason = entry ? json::string_at(*entry, {"reason"}) : std::string_view();
  if (reason == "ProgressDeadlineExceeded") return;
  if (d.paused && reason != "DeploymentPaused") {
    api::set_condition(conditions,
                       {"Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"}, now,
                       kTimes);
  }
  if (!d.paused && reason == "DeploymentPaused") {
    api::set_condition(conditions,
                       {"Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"},
                       now, kTimes);
  }
}

void judge_progress(const DeploymentView& d, const Sets& sets, const json::Value& status,
                    json::Array& conditions, WallTime now) {
  const json::Value* entry = api::find_condition(conditions, "Progressing");
  const std::string reason(entry ? json::string_at(*entry, {"reason"}) : std::string_view());
  const bool whole =
      json::int_at(status, {"replicas"}) == json::int_at(status, {"updatedReplicas"});
  if (whole && reason == "NewReplicaSetAvailable") return;
  if (complete(d, status)) {
    api::set_condition(conditions,
                       {"Progressing", "True", "NewReplicaSetAvailable",
                        subject(d, sets) + " has successfully progressed."},
                       now, kTimes);
    return;
  }
  if (progressed(d.status, status)) {
    // The same words with a new time: the deadline counts from here.
    json::Value transition;
    if (entry && json::string_at(*entry, {"status"}) == "True")
      transition = entry->at("lastTransitionTime");
    api::remove_condition(conditions, "Progressing");
    api::set_condition(
        conditions,
        {"Progressing", "True", "ReplicaSetUpdated", subject(d, sets) + " is progressing."}, now,
        kTimes);
    if (!transition.is_null()) conditions.back().as_object()["lastTransitionTime"] = transition;
    return;
  }
  // A deadline that another template missed says nothing of this one: a roll-back would look failed
  // before it began.
  const bool of_another = reason == "ProgressDeadlineExceeded" &&
                          !json::string_at(*entry, {"message"}).starts_with(subject(d, sets) + " ");
  if (!entry || of_another) {
    if (!sets.current) return;
    api::set_condition(conditions,
                       {"Progressing", "True", "FoundNewReplicaSet",
                        "Found new replica set \"" + sets.current->name + "\""},
                       now, kTimes);
    return;
  }
  if (reason == "NewReplicaSetAvailable" || reason == "ProgressDeadlineExceeded") return;
  if (api::time_at(*entry, {"lastUpdateTime"}) + *d.progress_deadline < now) {
    api::set_condition(conditions,
                       {"Progressing", "False", "ProgressDeadlineExceeded",
                        subject(d, sets) + " has timed out progressing."},
                       now, kTimes);
  }
}

void copy_failure(const Sets& sets, json::Array& conditions) {
  json::Value failure = sets.current ? sets.current->failure : json::Value();
  for (const SetView& set : sets.old) {
    if (failure.is_null()) failure = set.failure;
  }
  if (failure.is_null()) {
    api::remove_condition(conditions, "ReplicaFailure");
    return;
  }
  const WallTime since = api::time_at(failure, {"lastTransitionTime"});
  api::set_condition(conditions,
                     {"ReplicaFailure", std::string(json::string_at(failure, {"status"})),
                      std::string(json::string_at(failure, {"reason"})),
                      std::string(json::string_at(failure, {"message"}))},
                     since, kTimes);
}

// When the deadline passes, if it still runs.
Duration until_deadline(const DeploymentView& d, const json::Value& status,
                        const json::Array& conditions, WallTime now) {
  const json::Value* entry = api::find_condition(conditions, "Progressing");
  if (!d.progress_deadline || d.paused || !entry || complete(d, status)) return Duration(0);
  if (json::string_at(*entry, {"reason"}) == "ProgressDeadlineExceeded") return Duration(0);
  const WallTime end = api::time_at(*entry, {"lastUpdateTime"}) + *d.progress_deadline;
  // Times of conditions are whole seconds: one more, so that it has passed then.
  return std::max<Duration>(end - now, Duration(0)) + std::chrono::seconds(1);
}

}  // namespace

bool complete(const DeploymentView& d, const json::Value& status) {
  return json::int_at(status, {"updatedReplicas"}) == d.want &&
         json::int_at(status, {"replicas"}) == d.want &&
         json::int_at(status, {"availableReplicas"}) == d.want &&
         json::int_at(status, {"observedGeneration"}) >= d.generation;
}

DeploymentStatus status_of(const DeploymentView& d, const Sets& sets, Judge judge, WallTime now) {
  DeploymentStatus out;
  json::Value status = counts(d, sets);
  json::Array conditions = json::array_at(d.status, {"conditions"});
  if (json::int_at(status, {"availableReplicas"}) >= d.want - d.max_unavailable) {
    api::set_condition(
        conditions,
        {"Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."},
        now, kTimes);
  } else {
    api::set_condition(conditions,
                       {"Available", "False", "MinimumReplicasUnavailable",
                        "Deployment does not have minimum availability."},
                       now, kTimes);
  }
  if (!d.progress_deadline) {
    api::remove_condition(conditions, "Progressing");
  } else {
    note_pause(d, conditions, now);
    if (judge == Judge::kProgressToo) judge_progress(d, sets, status, conditions, now);
  }
  if (judge == Judge::kProgressToo) copy_failure(sets, conditions);
  out.again = until_deadline(d, status, conditions, now);
  out.document = std::move(status.as_object());
  out.document["conditions"] = std::move(conditions);
  return out;
}

}  // namespace atl::controllers

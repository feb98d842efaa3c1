#include "kernel/controllers/job_cleanup.h"

#include <algorithm>

#include "api/controller/conditions.h"
#include "base/core/seconds.h"
#include "kernel/controllers/job_plan.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

bool tracked(const json::Value& pod) {
  const json::Array& finalizers = json::array_at(pod, {"metadata", "finalizers"});
  return std::ranges::count(finalizers, json::Value(kJobTrackingFinalizer)) > 0;
}

}  // namespace

Task<> release_tracking(api::Client& client, api::ObjectPtr pod) {
  json::Array others;
  const json::Value document = pod->parse();
  for (const json::Value& value : json::array_at(document, {"metadata", "finalizers"})) {
    if (value != json::Value(kJobTrackingFinalizer)) others.push_back(value);
  }
  json::Object patch{
      {"metadata", json::Object{{"uid", pod->uid()},
                                {"resourceVersion", std::to_string(pod->revision().value)},
                                {"finalizers", std::move(others)}}}};
  const Result<api::ObjectPtr> patched =
      co_await client.patch(kPods, pod->key(), api::PatchType::kMerge, std::move(patch));
  if (!patched && patched.error().code() != Code::kNotFound) co_return patched.error();
  co_return Unit{};
}

JobOrphanController::JobOrphanController(Deps deps)
    : deps_(deps), jobs_(deps.informers.get(kJobs)), pods_(deps.informers.get(kPods)) {}

std::vector<api::Informer*> JobOrphanController::inputs() {
  return {&jobs_, &pods_.informer()};
}

void JobOrphanController::watch(api::WorkQueue& queue) {
  pods_.informer().add_handler(
      [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (!now || !tracked(now->parse())) return;
        const api::OwnerRef* owner = now->header().controller();
        const bool owned = owner && owner->kind == "Job";
        const api::ObjectPtr job = owned ? jobs_.get({key.ns, owner->name}) : nullptr;
        if (!job || job->uid() != owner->uid) queue.add(key);
      });
  jobs_.add_handler([this, &queue](const api::ObjectKey&, const api::ObjectPtr& before,
                                   const api::ObjectPtr& now) {
    if (now || !before) return;
    for (const api::ObjectPtr& pod : pods_.owned_by(before->uid())) queue.add(pod->key());
  });
}

Task<api::Outcome> JobOrphanController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr pod = pods_.informer().get(key);
  if (!pod || !tracked(pod->parse())) co_return api::Outcome::done();
  const api::OwnerRef* owner = pod->header().controller();
  if (owner && owner->kind == "Job") {
    // The cache may be late: ask whether the Job still lives.
    const Result<api::ObjectPtr> job = co_await deps_.client.get(kJobs, {key.ns, owner->name});
    if (!job && job.error().code() != Code::kNotFound) co_return job.error();
    if (job && (*job)->uid() == owner->uid) co_return api::Outcome::done();
  }
  CO_TRY_OK(co_await release_tracking(deps_.client, pod));
  co_return api::Outcome::done();
}

std::optional<WallTime> expires_at(const json::Value& job) {
  const json::Value* seconds = json::find(job, {"spec", "ttlSecondsAfterFinished"});
  if (!seconds || !seconds->is_number()) return std::nullopt;
  for (const json::Value& condition : json::array_at(job, {"status", "conditions"})) {
    const std::string_view type = json::string_at(condition, {"type"});
    if ((type == "Complete" || type == "Failed") &&
        json::string_at(condition, {"status"}) == "True") {
      return api::time_at(condition, {"lastTransitionTime"}) +
             seconds_of(json::int_at(*seconds, {}));
    }
  }
  return std::nullopt;
}

FinishedJobController::FinishedJobController(Deps deps)
    : deps_(deps), jobs_(deps.informers.get(kJobs)) {}

std::vector<api::Informer*> FinishedJobController::inputs() {
  return {&jobs_};
}

void FinishedJobController::watch(api::WorkQueue& queue) {
  jobs_.add_handler(
      [&queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now && !now->header().deleting) queue.add(key);
      });
}

Task<api::Outcome> FinishedJobController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr job = jobs_.get(key);
  if (!job || job->header().deleting) co_return api::Outcome::done();
  const std::optional<WallTime> at = expires_at(job->parse());
  if (!at) co_return api::Outcome::done();
  if (*at > deps_.now()) co_return api::Outcome::again_after(*at - deps_.now());
  api::DeleteOptions options;
  options.propagation = "Foreground";
  options.uid = job->uid();
  options.resource_version = job->revision();
  const Result<> removed = co_await deps_.client.remove(kJobs, key, options);
  if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  co_return api::Outcome::done();
}

}  // namespace atl::controllers

#include "kernel/controllers/job.h"

#include <algorithm>
#include <charconv>

#include "api/controller/conditions.h"
#include "api/controller/parallel.h"
#include "kernel/controllers/job_cleanup.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kManager = "kubernetes.io/job-controller";
constexpr const char* kIndexKey = "batch.kubernetes.io/job-completion-index";
constexpr const char* kFailuresKey = "batch.kubernetes.io/job-index-failure-count";
constexpr const char* kIndexVariable = "JOB_COMPLETION_INDEX";

// "work-3-" of the pod "work-3-x2x9k".
int64_t index_in_name(const std::string& job, const std::string& pod) {
  int64_t index = kNoIndex;
  if (pod.starts_with(job + "-"))
    std::from_chars(pod.data() + job.size() + 1, pod.data() + pod.size(), index);
  return index;
}

// Whoever runs in the pod learns its index from its environment.
void add_index_variable(json::Value& pod) {
  for (const char* list : {"initContainers", "containers"}) {
    json::Value* containers = json::find(pod, {"spec", list});
    if (!containers || !containers->is_array()) continue;
    for (json::Value& container : containers->as_array()) {
      json::Array env = json::array_at(container, {"env"});
      const bool there = std::any_of(env.begin(), env.end(), [](const json::Value& entry) {
        return json::string_at(entry, {"name"}) == kIndexVariable;
      });
      if (there) continue;
      const std::string path = std::string("metadata.labels['") + kIndexKey + "']";
      env.push_back(json::Object{
          {"name", kIndexVariable},
          {"valueFrom", json::Object{{"fieldRef", json::Object{{"fieldPath", path}}}}}});
      json::set(container, {"env"}, std::move(env));
    }
  }
}

json::Value make_pod(const api::Object& job, const json::Value& document, const JobChild& child) {
  json::Value pod = pod_from_template(json::object_at(document, {"spec", "template"}), job);
  json::Array finalizers = json::array_at(pod, {"metadata", "finalizers"});
  finalizers.emplace_back(kJobTrackingFinalizer);
  json::set(pod, {"metadata", "finalizers"}, std::move(finalizers));
  if (child.index == kNoIndex) return pod;
  const json::Value index(std::to_string(child.index));
  json::set(pod, {"metadata", "labels", kIndexKey}, index);
  json::set(pod, {"metadata", "annotations", kIndexKey}, index);
  if (json::find(document, {"spec", "backoffLimitPerIndex"})) {
    json::set(pod, {"metadata", "annotations", kFailuresKey},
              json::Value(std::to_string(child.earlier_failures)));
  }
  json::set(pod, {"spec", "hostname"}, json::Value(job.name() + "-" + std::to_string(child.index)));
  add_index_variable(pod);
  return pod;
}

json::Object status_document(const JobSpec& spec, const JobStatus& status) {
  json::Object uncounted;
  const auto uids = [&uncounted](std::string_view field, const std::set<std::string>& values) {
    json::Array list;
    for (const std::string& uid : values) list.emplace_back(uid);
    if (!list.empty()) uncounted[field] = std::move(list);
  };
  uids("succeeded", status.uncounted_succeeded);
  uids("failed", status.uncounted_failed);
  json::Object out{{"ready", status.ready}, {"terminating", status.terminating}};
  const auto put = [&out](std::string_view field, int64_t value) {
    if (value != 0) out[field] = value;
  };
  put("active", status.active);
  put("succeeded", status.succeeded);
  put("failed", status.failed);
  if (!status.completed.empty()) out["completedIndexes"] = status.completed.text();
  if (spec.per_index_limit) out["failedIndexes"] = status.failed_indexes.text();
  if (status.start) out["startTime"] = rfc3339(*status.start);
  if (status.completion) out["completionTime"] = rfc3339(*status.completion);
  if (!status.conditions.empty()) out["conditions"] = status.conditions;
  out["uncountedTerminatedPods"] = std::move(uncounted);
  return out;
}

}  // namespace

JobController::JobController(Deps deps)
    : deps_(deps),
      jobs_(deps.informers.get(kJobs)),
      pods_(deps.informers.get(kPods)),
      writes_(deps) {}

std::vector<api::Informer*> JobController::inputs() {
  return {&jobs_, &pods_.informer()};
}

void JobController::watch(api::WorkQueue& queue) {
  const auto wake = [&queue](const api::ObjectKey& key) { queue.add(key); };
  jobs_.add_handler([this, wake](const api::ObjectKey& key, const api::ObjectPtr& before,
                                 const api::ObjectPtr& now) {
    if (before && !now) backoffs_.erase(before->uid());
    wake(key);
  });
  wake_owners(pods_.informer(), jobs_, "Job", wake);
}

Task<std::vector<JobPod>> JobController::pods_of(api::ObjectPtr job, const json::Value& document) {
  const json::Value* spec = json::find(document, {"spec", "selector"});
  if (!spec) co_return Error(Code::kInvalid, "spec.selector is missing");
  CO_TRY(api::LabelSelector selector, api::LabelSelector::from_document(*spec));
  CO_TRY(const std::vector<api::ObjectPtr> mine,
         co_await pods_.claim(deps_, kJobs, job, std::move(selector)));
  writes_.notes().settle(job->key(), pods_.informer());
  CO_TRY_OK(co_await writes_.resolve_lost_replies(job));
  std::vector<JobPod> out;
  for (const api::ObjectPtr& object : mine) {
    JobPod pod = JobPod::of(*object);
    pod.view.deleting = pod.view.deleting || writes_.notes().was_removed(job->key(), object->uid());
    out.push_back(std::move(pod));
  }
  co_return out;
}

Task<api::Outcome> JobController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr job = jobs_.get(key);
  if (!job) {
    writes_.notes().forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the pods
  }
  // Counting twice is worse than counting late: the next event brings what we wrote.
  if (!writes_.notes().current(key, jobs_)) co_return api::Outcome::done();
  const auto document = std::make_shared<const json::Value>(job->parse());
  if (json::string_at(*document, {"spec", "managedBy"}, kManager) != kManager)
    co_return api::Outcome::done();
  CO_TRY(const std::vector<JobPod> pods, co_await pods_of(job, *document));
  const JobSpec spec(*document);
  const bool indexed = spec.indexed;
  std::vector<int64_t> pending;
  for (const std::string& name : writes_.notes().pending_names(key))
    pending.push_back(indexed ? index_in_name(job->name(), name) : kNoIndex);
  JobPlan todo =
      plan(spec, JobStatus(*document, spec), pods, pending, backoffs_[job->uid()], deps_.now());
  const Duration again = todo.again;
  CO_TRY_OK(co_await write_status(job, *document, todo));
  CO_TRY_OK(co_await carry_out(job, document, std::move(todo)));
  co_return api::Outcome::again_after(again);
}

Task<> JobController::write_status(api::ObjectPtr job, json::Value document, const JobPlan& todo) {
  json::Object status = status_document(JobSpec(document), todo.status);
  const json::Value* old = json::find(document, {"status"});
  if (!old || !json::equal(*old, status)) {
    document.as_object()["status"] = std::move(status);
    api::WriteOptions options;
    options.subresource = "status";
    const Result<api::ObjectPtr> written =
        co_await deps_.client.update(kJobs, job->key(), std::move(document), options);
    if (!written && written.error().code() == Code::kNotFound) co_return Unit{};
    if (!written) co_return written.error();
    writes_.notes().updated(job->key(), (*written)->revision());
  }
  backoffs_[job->uid()] = todo.backoff;
  for (const JobEvent& event : todo.events) {
    deps_.events.note(*job, event.warning ? api::EventLevel::kWarning : api::EventLevel::kNormal,
                      event.reason, event.message);
  }
  co_return Unit{};
}

// After the status: what is counted must be written before the pod may go.
Task<> JobController::carry_out(api::ObjectPtr job, std::shared_ptr<const json::Value> document,
                                JobPlan todo) {
  std::vector<std::function<Task<>()>> work;
  for (const api::ObjectKey& key : todo.release) {
    if (const api::ObjectPtr pod = pods_.informer().get(key))
      work.push_back([this, pod] { return release_tracking(deps_.client, pod); });
  }
  for (PodView& pod : todo.discard)
    work.push_back([this, job, pod = std::move(pod)] { return discard(job, pod); });
  for (PodView& pod : todo.remove) {
    work.push_back(
        [this, job, pod = std::move(pod)] { return writes_.remove(job, pod.name, pod.uid); });
  }
  std::vector<Result<>> results = co_await api::run_all(std::move(work));
  for (Result<>& result : results) {
    // Somebody else has written the pod meanwhile: its event brings us back.
    if (!result && result.error().code() != Code::kConflict) co_return std::move(result).error();
  }
  if (!todo.create.empty()) CO_TRY_OK(co_await create(job, document, std::move(todo.create)));
  co_return Unit{};
}

Task<> JobController::create(api::ObjectPtr job, std::shared_ptr<const json::Value> document,
                             std::vector<JobChild> children) {
  const size_t count = children.size();
  api::BatchResult made = co_await api::run_in_slow_start(
      count, [this, job, document, children = std::move(children)](size_t i) {
        const JobChild child = children[i];
        std::string prefix = job->name() + "-";
        if (child.index != kNoIndex) prefix += std::to_string(child.index) + "-";
        return writes_.create(
            job, std::make_shared<const json::Value>(make_pod(*job, *document, child)),
            child.index == kNoIndex ? pod_prefix(job->name()) : std::move(prefix));
      });
  if (!made.errors.empty()) co_return std::move(made.errors.front());
  co_return Unit{};
}

Task<> JobController::discard(api::ObjectPtr job, PodView pod) {
  if (const api::ObjectPtr object = pods_.informer().get({job->ns(), pod.name}))
    CO_TRY_OK(co_await release_tracking(deps_.client, object));
  co_return co_await writes_.remove(job, pod.name, pod.uid);
}

}  // namespace atl::controllers

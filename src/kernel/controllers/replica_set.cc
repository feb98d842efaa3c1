#include "kernel/controllers/replica_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/controller/conditions.h"
#include "api/controller/parallel.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

// Pods that carry every label of the template.
int64_t count_fully_labeled(const json::Value& set, const std::vector<api::ObjectPtr>& pods) {
  const json::Object& wanted = json::object_at(set, {"spec", "template", "metadata", "labels"});
  const api::LabelSelector selector = api::LabelSelector::from_map(wanted);
  return std::count_if(pods.begin(), pods.end(), [&](const api::ObjectPtr& pod) {
    return view_pod(*pod).active() && selector.matches(pod->header().labels);
  });
}

}  // namespace

ReplicaSetPlan plan(const ReplicaSetView& set, std::vector<PodView> pods, int64_t pending,
                    WallTime now) {
  ReplicaSetPlan todo;
  std::vector<PodView> active;
  for (PodView& pod : pods) {
    if (!pod.active()) {
      todo.terminating += pod.deleting && !pod.finished() ? 1 : 0;
      continue;
    }
    todo.ready += pod.ready;
    todo.available += pod.available(set.min_ready, now);
    if (const Duration wait = pod.until_available(set.min_ready, now); wait > Duration(0)) {
      todo.again = todo.again == Duration(0) ? wait : std::min(todo.again, wait);
    }
    active.push_back(std::move(pod));
  }
  todo.replicas = int64_t(active.size());
  if (set.deleting) return todo;
  const int64_t surplus = todo.replicas + pending - set.want;
  if (surplus < 0) todo.create = -surplus;
  if (surplus > 0) {
    sort_for_removal(active, now);
    // What is pending cannot be removed yet; the rest waits until it shows.
    active.resize(size_t(std::min<int64_t>(surplus, todo.replicas)));
    todo.remove = std::move(active);
  }
  return todo;
}

ReplicaSetController::ReplicaSetController(Deps deps)
    : deps_(deps),
      sets_(deps.informers.get(kReplicaSets)),
      pods_(deps.informers.get(kPods)),
      writes_(deps) {}

std::vector<api::Informer*> ReplicaSetController::inputs() {
  return {&sets_, &pods_.informer()};
}

void ReplicaSetController::watch(api::WorkQueue& queue) {
  sets_.add_handler([&queue](const api::ObjectKey& key, const api::ObjectPtr&,
                             const api::ObjectPtr&) { queue.add(key); });
  wake_owners(pods_.informer(), sets_, "ReplicaSet",
              [&queue](const api::ObjectKey& key) { queue.add(key); });
}

Task<api::Outcome> ReplicaSetController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr set = sets_.get(key);
  if (!set) {
    writes_.notes().forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the pods
  }
  const json::Value document = set->parse();
  const json::Value* selector_spec = json::find(document, {"spec", "selector"});
  if (!selector_spec) co_return Error(Code::kInvalid, "spec.selector is missing");
  CO_TRY(api::LabelSelector selector, api::LabelSelector::from_document(*selector_spec));
  CO_TRY(const std::vector<api::ObjectPtr> mine,
         co_await pods_.claim(deps_, kReplicaSets, set, std::move(selector)));
  writes_.notes().settle(key, pods_.informer());
  CO_TRY_OK(co_await writes_.resolve_lost_replies(set));

  std::vector<PodView> views;
  for (const api::ObjectPtr& pod : mine) {
    if (!writes_.notes().was_removed(key, pod->uid())) views.push_back(view_pod(*pod));
  }
  const ReplicaSetView view{
      json::int_at(document, {"spec", "replicas"}, 1),
      std::chrono::seconds(json::int_at(document, {"spec", "minReadySeconds"})),
      set->header().deleting};
  ReplicaSetPlan todo =
      plan(view, std::move(views), int64_t(writes_.notes().pending(key)), deps_.now());
  const Duration again = todo.again;
  const int64_t labeled = count_fully_labeled(document, mine);
  const std::optional<Error> failure = co_await carry_out(set, todo);
  CO_TRY_OK(co_await write_status(set, std::move(todo), failure, labeled));
  if (failure) co_return *failure;
  co_return api::Outcome::again_after(again);
}

Async<std::optional<Error>> ReplicaSetController::carry_out(api::ObjectPtr set,
                                                            ReplicaSetPlan todo) {
  if (todo.create > 0) {
    const json::Value document = set->parse();
    const json::Value* pod_template = json::find(document, {"spec", "template"});
    if (!pod_template) co_return Error(Code::kInvalid, "spec.template is missing");
    const auto pod = std::make_shared<const json::Value>(pod_from_template(*pod_template, *set));
    api::BatchResult made =
        co_await api::run_in_slow_start(size_t(std::min(todo.create, kBurst)),
                                        [this, set, pod, prefix = pod_prefix(set->name())](size_t) {
                                          return writes_.create(set, pod, prefix);
                                        });
    if (!made.errors.empty()) co_return std::move(made.errors.front());
  }
  std::vector<std::function<Task<>()>> removals;
  for (PodView& pod : todo.remove) {
    if (int64_t(removals.size()) == kBurst) break;
    removals.push_back(
        [this, set, pod = std::move(pod)] { return writes_.remove(set, pod.name, pod.uid); });
  }
  std::vector<Result<>> removed = co_await api::run_all(std::move(removals));
  for (Result<>& result : removed) {
    if (!result) co_return std::move(result).error();
  }
  co_return std::nullopt;
}

Task<> ReplicaSetController::write_status(api::ObjectPtr set, ReplicaSetPlan todo,
                                          std::optional<Error> failure, int64_t labeled) {
  json::Value document = set->parse();
  json::Object status{{"replicas", todo.replicas},
                      {"observedGeneration", set->header().generation}};
  const auto put = [&](std::string_view field, int64_t value) {
    if (value != 0) status[field] = value;
  };
  put("fullyLabeledReplicas", labeled);
  put("readyReplicas", todo.ready);
  put("availableReplicas", todo.available);
  status["terminatingReplicas"] = todo.terminating;
  json::Array conditions = json::array_at(document, {"status", "conditions"});
  if (failure) {
    const char* reason = todo.create > 0 ? "FailedCreate" : "FailedDelete";
    if (!api::find_condition(conditions, "ReplicaFailure")) {
      api::set_condition(conditions, {"ReplicaFailure", "True", reason, failure->message()},
                         deps_.now());
    }
  } else {
    api::remove_condition(conditions, "ReplicaFailure");
  }
  if (!conditions.empty()) status["conditions"] = std::move(conditions);

  const json::Value* old = json::find(document, {"status"});
  if (old && json::equal(*old, status)) co_return Unit{};
  document.as_object()["status"] = std::move(status);
  api::WriteOptions options;
  options.subresource = "status";
  const Result<api::ObjectPtr> written =
      co_await deps_.client.update(kReplicaSets, set->key(), std::move(document), options);
  if (!written && written.error().code() != Code::kNotFound) co_return written.error();
  co_return Unit{};
}

}  // namespace atl::controllers

#include "kernel/controllers/replica_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/controller/conditions.h"
#include "api/controller/parallel.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

// Longest prefix of a generated name, so that five more letters fit a label value.
constexpr size_t kPrefixMax = 58;

// Creation in a namespace that is going away must fail; telling it again and again helps nobody.
bool namespace_terminates(const Error& error) {
  return std::any_of(error.causes().begin(), error.causes().end(),
                     [](const Cause& cause) { return cause.reason == "NamespaceTerminating"; });
}

bool reply_lost(const Error& error) {
  return error.code() == Code::kTimeout || error.code() == Code::kUnavailable ||
         error.code() == Code::kCancelled;
}

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
    : deps_(deps), sets_(deps.informers.get(kReplicaSets)), pods_(deps.informers.get(kPods)) {}

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
    writes_.forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the pods
  }
  const json::Value document = set->parse();
  const json::Value* selector_spec = json::find(document, {"spec", "selector"});
  if (!selector_spec) co_return Error(Code::kInvalid, "spec.selector is missing");
  CO_TRY(api::LabelSelector selector, api::LabelSelector::from_document(*selector_spec));
  CO_TRY(const std::vector<api::ObjectPtr> mine,
         co_await pods_.claim(deps_, kReplicaSets, set, std::move(selector)));
  writes_.settle(key, pods_.informer());
  CO_TRY_OK(co_await resolve_lost_replies(set));

  std::vector<PodView> views;
  for (const api::ObjectPtr& pod : mine) {
    if (!writes_.was_removed(key, pod->uid())) views.push_back(view_pod(*pod));
  }
  const ReplicaSetView view{
      json::int_at(document, {"spec", "replicas"}, 1),
      std::chrono::seconds(json::int_at(document, {"spec", "minReadySeconds"})),
      set->header().deleting};
  ReplicaSetPlan todo = plan(view, std::move(views), int64_t(writes_.pending(key)), deps_.now());
  const Duration again = todo.again;
  const int64_t labeled = count_fully_labeled(document, mine);
  const std::optional<Error> failure = co_await carry_out(set, todo);
  CO_TRY_OK(co_await write_status(set, std::move(todo), failure, labeled));
  if (failure) co_return *failure;
  co_return api::Outcome::again_after(again);
}

Task<> ReplicaSetController::resolve_lost_replies(api::ObjectPtr set) {
  for (const std::string& name : writes_.unsure(set->key())) {
    api::ListOptions only;
    only.ns = set->ns();
    only.field_selector = "metadata.name=" + name;
    CO_TRY(const api::ObjectList found, co_await deps_.client.list(kPods, only));
    if (found.items.empty()) {
      writes_.create_missing(set->key(), name);
    } else if (controller_uid(*found.items.front()) == set->uid()) {
      writes_.created(set->key(), *found.items.front());
    } else {
      writes_.create_refused(set->key(), name);
    }
  }
  co_return Unit{};
}

std::string ReplicaSetController::pod_name(const api::Object& set) {
  const std::string again = writes_.take_reusable(set.key());
  if (!again.empty()) return again;
  return (set.name() + "-").substr(0, kPrefixMax) + deps_.seams.rng->name_suffix(5);
}

Task<> ReplicaSetController::create_one(api::ObjectPtr set,
                                        std::shared_ptr<const json::Value> document) {
  json::Value pod = *document;
  const std::string name = pod_name(*set);
  json::set(pod, {"metadata", "name"}, json::Value(name));
  json::set(pod, {"metadata", "generateName"}, json::Value(set->name() + "-"));
  writes_.create_unsure(set->key(), name);  // counts while the request is under way
  const Result<api::ObjectPtr> made =
      co_await deps_.client.create(kPods, set->ns(), std::move(pod));
  if (made) {
    writes_.created(set->key(), **made);
    deps_.events.note(*set, api::EventLevel::kNormal, "SuccessfulCreate", "Created pod: " + name);
    co_return Unit{};
  }
  if (reply_lost(made.error()) || made.error().code() == Code::kExists) co_return made.error();
  writes_.create_missing(set->key(), name);
  if (namespace_terminates(made.error())) co_return Unit{};
  deps_.events.note(*set, api::EventLevel::kWarning, "FailedCreate",
                    "Error creating: " + made.error().message());
  co_return made.error();
}

Task<> ReplicaSetController::remove_one(api::ObjectPtr set, PodView pod) {
  api::DeleteOptions options;
  options.uid = pod.uid;
  const Result<> removed = co_await deps_.client.remove(kPods, {set->ns(), pod.name}, options);
  if (removed) {
    writes_.removed(set->key(), pod.uid);
    deps_.events.note(*set, api::EventLevel::kNormal, "SuccessfulDelete",
                      "Deleted pod: " + pod.name);
    co_return Unit{};
  }
  if (removed.error().code() == Code::kNotFound) co_return Unit{};
  if (removed.error().code() == Code::kConflict)
    co_return Unit{};  // another pod has the name by now
  deps_.events.note(*set, api::EventLevel::kWarning, "FailedDelete",
                    "Error deleting: " + removed.error().message());
  co_return removed.error();
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
                                        [this, set, pod](size_t) { return create_one(set, pod); });
    if (!made.errors.empty()) co_return std::move(made.errors.front());
  }
  std::vector<std::function<Task<>()>> removals;
  for (PodView& pod : todo.remove) {
    if (int64_t(removals.size()) == kBurst) break;
    removals.push_back([this, set, pod = std::move(pod)] { return remove_one(set, pod); });
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

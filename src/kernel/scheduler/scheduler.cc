#include "kernel/scheduler/scheduler.h"

#include <fmt/format.h>

#include "api/controller/conditions.h"
#include "base/observe/log.h"
#include "kernel/scheduler/decide.h"

namespace atl::scheduler {
namespace {

const api::Gvr kPods{"", "v1", "pods"};
const api::Gvr kNodes{"", "v1", "nodes"};
const api::Gvr kNamespaces{"", "v1", "namespaces"};
constexpr int kConditionAttempts = 3;

json::Value binding_of(const api::Object& pod, const std::string& node) {
  return json::Object{
      {"apiVersion", "v1"},
      {"kind", "Binding"},
      {"metadata", json::Object{{"name", pod.name()}, {"namespace", pod.ns()}, {"uid", pod.uid()}}},
      {"target", json::Object{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}}}};
}

}  // namespace

Scheduler::Scheduler(api::Client& client, api::InformerSet& informers, api::Seams seams,
                     api::EventRecorder& events, Options options)
    : client_(client),
      seams_(seams),
      events_(events),
      options_(std::move(options)),
      pods_(informers.get(kPods)),
      nodes_(informers.get(kNodes)),
      namespaces_(informers.get(kNamespaces)),
      queue_(seams),
      tasks_(seams.executor) {
  cluster_.set_namespace_labels([this](const std::string& ns) {
    const api::ObjectPtr space = namespaces_.get({"", ns});
    return space ? space->header().labels : api::Labels();
  });
  nodes_.add_handler([this](const api::ObjectKey& key, const api::ObjectPtr&,
                            const api::ObjectPtr& now) { on_node(key, now); });
  pods_.add_handler([this](const api::ObjectKey&, const api::ObjectPtr& before,
                           const api::ObjectPtr& now) { on_pod(before, now); });
}

void Scheduler::start() {
  tasks_.spawn("scheduler", [this] { return run(); });
}

Result<> Scheduler::ready() const {
  if (!synced_) return Error(Code::kUnavailable, health());
  if (!running_) return Error(Code::kUnavailable, "scheduler: its loop has ended");
  return Unit{};
}

Async<void> Scheduler::stop() {
  queue_.close();
  co_await tasks_.stop();
}

void Scheduler::on_node(const api::ObjectKey& key, const api::ObjectPtr& now) {
  if (!now) {
    cluster_.remove_node(key.name);
    return;
  }
  if (cluster_.set_node(*now)) queue_.cluster_changed();
}

void Scheduler::on_pod(const api::ObjectPtr& before, const api::ObjectPtr& now) {
  if (!now) return on_gone(before->uid());
  const Result<PodPtr> pod = read_pod(now);
  if (!pod) {
    log::warn("pod cannot be scheduled", {{"pod", now->key().text()}, {"error", pod.error()}});
    return;
  }
  if ((*pod)->finished) return on_gone(now->uid());
  if (!(*pod)->node.empty()) return on_placed(*pod);
  on_waiting(*pod);
}

void Scheduler::on_gone(const std::string& uid) {
  queue_.remove(uid);
  if (cluster_.remove_pod(uid)) queue_.cluster_changed();
}

void Scheduler::on_placed(const PodPtr& pod) {
  queue_.remove(pod->uid());
  const auto node = cluster_.nodes().find(pod->node);
  const bool known = node != cluster_.nodes().end() && node->second.pods.contains(pod->uid());
  const bool same = known && node->second.pods.at(pod->uid())->identity == pod->identity;
  cluster_.set_pod(pod);
  // A pod that came or changed may be the one that others want to be near.
  if (!same) queue_.cluster_changed();
}

void Scheduler::on_waiting(const PodPtr& pod) {
  if (pod->scheduler != options_.name) return;
  if (cluster_.assumed(pod->uid())) return;  // its binding is under way
  if (pod->deleting || pod->gated) return queue_.remove(pod->uid());
  queue_.add(pod);
}

namespace {
// True for as long as it lives, however its scope is left.
struct While {
  explicit While(bool& flag) : value(flag) { value = true; }
  ~While() { value = false; }
  While(const While&) = delete;
  While& operator=(const While&) = delete;
  bool& value;
};
}  // namespace

Async<void> Scheduler::run() {
  const While running(running_);
  for (api::Informer* input : {&nodes_, &pods_, &namespaces_}) {
    const bool ok = co_await input->synced();
    if (!ok) co_return;
  }
  synced_ = true;
  while (true) {
    while (binding_ >= options_.bindings_at_once) {
      const bool woken = co_await bound_.wait();
      if (!woken) co_return;
    }
    const std::optional<PodPtr> pod = co_await queue_.next();
    if (!pod) co_return;
    try_one(*pod);
  }
}

void Scheduler::try_one(const PodPtr& pod) {
  const Decision decision = decide(*pod, cluster_, *seams_.rng);
  if (decision.node.empty()) {
    ++stats_.unschedulable;
    queue_.failed(pod);
    tasks_.spawn("unschedulable",
                 [this, pod, message = decision.message] { return tell(pod, message); });
    return;
  }
  cluster_.assume(pod, decision.node);
  ++binding_;
  tasks_.spawn("binding", [this, pod, node = decision.node] { return bind(pod, node); });
}

Async<void> Scheduler::bind(PodPtr pod, std::string node) {
  const api::ObjectKey key = pod->object->key();
  const Result<json::Value> bound =
      co_await client_.post(kPods, key, "binding", binding_of(*pod->object, node));
  --binding_;
  bound_.notify();
  if (bound) {
    ++stats_.scheduled;
    queue_.remove(pod->uid());
    events_.note(*pod->object, api::EventLevel::kNormal, "Scheduled",
                 fmt::format("Successfully assigned {} to {}", key.text(), node));
    co_return;
  }
  ++stats_.errors;
  stats_.last_error = key.text() + ": " + bound.error().message();
  // Unless the API shows by now that it is placed, the place is free again.
  if (cluster_.assumed(pod->uid())) {
    cluster_.remove_pod(pod->uid());
    queue_.retry(pod);
    queue_.cluster_changed();
  }
  log::debug("binding failed, will retry",
             {{"pod", key.text()}, {"node", node}, {"error", bound.error()}});
}

Async<void> Scheduler::tell(PodPtr pod, std::string message) {
  events_.note(*pod->object, api::EventLevel::kWarning, "FailedScheduling", message);
  const Result<> written = co_await write_condition(pod, message);
  if (!written)
    log::debug("condition not written",
               {{"pod", pod->object->key().text()}, {"error", written.error()}});
}

Task<> Scheduler::write_condition(PodPtr pod, std::string message) {
  const api::ObjectKey key = pod->object->key();
  api::ObjectPtr object = pods_.get(key);
  for (int attempt = 1; object && object->uid() == pod->uid(); ++attempt) {
    json::Value document = object->parse();
    json::Array conditions = json::array_at(document, {"status", "conditions"});
    if (!api::set_condition(conditions, {"PodScheduled", "False", "Unschedulable", message},
                            seams_.timer->now()))
      break;
    json::set(document, {"status", "conditions"}, std::move(conditions));
    api::WriteOptions status;
    status.subresource = "status";
    const Result<api::ObjectPtr> written =
        co_await client_.update(kPods, key, std::move(document), status);
    if (written) break;
    if (written.error().code() != Code::kConflict || attempt == kConditionAttempts)
      co_return written.error();
    CO_TRY(object, co_await client_.get(kPods, key));
  }
  co_return Unit{};
}

std::string Scheduler::health() const {
  if (!synced_) return "scheduler: waits for the first lists";
  std::string line = fmt::format("scheduler: {} scheduled, {} ready, {} unschedulable",
                                 stats_.scheduled, queue_.active(), queue_.unschedulable());
  if (queue_.backing_off() > 0)
    line += fmt::format(", {} backing off, last: {}", queue_.backing_off(), stats_.last_error);
  return line;
}

}  // namespace atl::scheduler

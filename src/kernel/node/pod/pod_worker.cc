#include "kernel/node/pod/pod_worker.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "base/io/files.h"
#include "base/observe/log.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kGoneGrace = std::chrono::seconds(1);
constexpr Duration kSafetyNet = std::chrono::minutes(5);
constexpr Duration kApiRetry = std::chrono::seconds(1);

void warn_unless(const Result<>& kept, const PodSpec& pod) {
  if (!kept) log::warn("a pod is not kept", {{"pod", pod.key()}, {"error", kept.error()}});
}

}  // namespace

PodWorker::PodWorker(PodContext& context, PodSpecPtr spec)
    : context_(context),
      record_(context, std::move(spec)),
      tasks_(
          context.seams.executor, context.timer(),
          [this](const std::string& task, const std::string& fault) { tell_fault(task, fault); }),
      reporter_(context, record_, tasks_, {[this] { return passing(); }, [this] { remove_now(); }}),
      sandbox_(context, record_, reporter_, tasks_),
      volumes_(context, record_, tasks_),
      runs_(context, record_, reporter_, tasks_),
      starter_({context, record_, reporter_, tasks_, sandbox_, volumes_, runs_}) {}

PodWorker::~PodWorker() = default;

void PodWorker::mark_over() {
  reporter_.mark_over();
  record_.state().torn_down = true;
}

void PodWorker::start() {
  const std::string key = spec().key();
  tasks_.spawn("pod " + key, [this] { return loop(); });
  tasks_.spawn("status " + key, [this] { return reporter_.run(); });
  tasks_.spawn("volumes " + key, [this] { return volumes_.refresh(); });
}

Async<void> PodWorker::stop() {
  co_await tasks_.stop();
  co_await runs_.stop();
}

void PodWorker::update(PodSpecPtr spec) {
  record_.update(std::move(spec));
  reporter_.server_said(record_.spec());
  tasks_.poke();
}

void PodWorker::remove_now() {
  reporter_.object_is_gone();
  if (!spec().deleting) {
    auto gone = std::make_shared<PodSpec>(spec());
    gone->deleting = context_.timer().now();
    gone->grace = std::min<Duration>(gone->grace, kGoneGrace);
    record_.update(std::move(gone));
  }
  tasks_.poke();
}

void PodWorker::tell_fault(const std::string& task, const std::string& message) {
  log::error("a task of a pod failed; trying again",
             {{"pod", spec().key()}, {"task", task}, {"error", message}});
  reporter_.note(api::EventLevel::kWarning, "FailedSync",
                 "Error syncing pod: " + task + ": " + message);
}

std::vector<std::string> PodWorker::container_ids() const {
  std::vector<std::string> out;
  for (const auto& [name, c] : state().containers) {
    if (!c.id.empty()) out.push_back(c.id);
  }
  return out;
}

PodPlan PodWorker::plan_now() const {
  return plan_pod(spec(), state(), context_.timer().now());
}

Async<void> PodWorker::loop() {
  (void)io::make_folders(record_.run_folder(), 0755);
  while (!finished_ && !tasks_.stopping()) {
    tasks_.begin_round();
    co_await step();
    if (!finished_) co_await tasks_.wait_for_poke(until_next_step());
  }
  if (finished_ && on_finished_) on_finished_();
}

Duration PodWorker::until_next_step() const {
  const PodPlan plan = plan_now();
  const WallTime now = context_.timer().now();
  Duration wait = kSafetyNet;
  if (plan.look_again) wait = std::min<Duration>(wait, *plan.look_again - now);
  if (plan.needs_network) wait = std::min<Duration>(wait, sandbox_.network_retry() - now);
  if (record_.save_due() != MonoTime{})
    wait = std::min<Duration>(wait, record_.save_due() - context_.timer().monotonic());
  return wait;
}

Async<void> PodWorker::step() {
  warn_unless(record_.save_spec(), spec());
  if (!spec().deleting) runs_.restart_changed();
  if (plan_now().fail_deadline) fail_at_deadline();
  if (plan_now().needs_network && sandbox_.network_due()) {
    // What a start needs besides the network, at the same time as it. What fails here is tried
    // again, and told, when the containers' turn comes.
    sandbox_.prepare_group();
    tasks_.spawn("prepare volumes", [this]() -> Async<void> { (void)co_await volumes_.set_up(); });
    co_await sandbox_.make_network();
  }
  if (spec().deleting) co_await sandbox_.drain();
  carry_out(plan_now());
  if (plan_now().tear_down && !runs_.cleaning()) co_await tear_down();
  warn_unless(record_.save(), spec());
  reporter_.status_changed();
  if (spec().deleting && state().torn_down) co_await take_leave();
}

void PodWorker::fail_at_deadline() {
  const std::string message = "Pod was active on the node longer than the specified deadline";
  record_.state().failure_reason = "DeadlineExceeded";
  record_.state().failure_message = message;
  reporter_.note(api::EventLevel::kNormal, "DeadlineExceeded", message);
}

void PodWorker::carry_out(const PodPlan& plan) {
  for (const StopOrder& order : plan.stop) runs_.order_stop(order.container, order.reason);
  if (plan.needs_network) return;
  for (const std::string& name : plan.start) {
    const ContainerRunPtr before = runs_.find(name);
    if (before && !before->cleaned) continue;  // the end of the last run pokes us
    record_.state().of(name).phase = Phase::kStarting;
    tasks_.spawn("start " + name, [this, name] { return starter_.start(name); });
  }
}

Async<void> PodWorker::tear_down() {
  co_await volumes_.idle();
  if (tasks_.stopping()) co_return;
  sandbox_.detach_network();
  co_await volumes_.tear_down();
  co_await sandbox_.remove_group();
  record_.state().network_ready = false;
  record_.state().torn_down = true;
}

// The last word first: controllers read from it how the pod ended.
Async<void> PodWorker::take_leave() {
  co_await reporter_.settled();
  auto gone = co_await reporter_.remove_object();
  if (gone) {
    co_await forget();
    co_return;
  }
  log::warn("pod cannot be deleted from the API yet",
            {{"pod", spec().key()}, {"error", gone.error()}});
  co_await tasks_.wait_for_poke(kApiRetry);
  tasks_.poke();
}

Async<void> PodWorker::forget() {
  co_await sandbox_.detached();
  if (tasks_.stopping()) co_return;
  reporter_.tell_notes();
  co_await context_.offload.run([path = record_.folder(), run = record_.run_folder()] {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
    std::filesystem::remove_all(run, ignored);
    return 0;
  });
  finished_ = true;
}

bool PodWorker::passing() const {
  if (spec().deleting && !state().torn_down) return true;
  if (runs_.any_unstarted()) return true;
  const auto& all = state().containers;
  return std::any_of(all.begin(), all.end(), [](const auto& entry) {
    const ContainerState& c = entry.second;
    return (c.phase == Phase::kStarting || c.phase == Phase::kPulling) && c.waiting_reason.empty();
  });
}

}  // namespace atl::node

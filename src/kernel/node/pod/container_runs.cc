#include "kernel/node/pod/container_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/observe/log.h"
#include "kernel/node/pod/container_exit.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kPumpGrace = std::chrono::seconds(2);
constexpr Duration kKillWait = std::chrono::seconds(10);
constexpr Duration kTermWait = std::chrono::seconds(2);
constexpr Duration kRemoveRetry = std::chrono::seconds(1);
constexpr Duration kHookLimit = std::chrono::minutes(10);
constexpr std::string_view kPodStops = "Stopping container";

int attempt_in(const std::string& id) {
  return std::atoi(id.c_str() + id.rfind('_') + 1);
}

}  // namespace

ContainerRuns::ContainerRuns(PodContext& context, PodRecord& record, PodReporter& reporter,
                             PodTasks& tasks)
    : context_(context),
      record_(record),
      reporter_(reporter),
      tasks_(tasks),
      probes_(context, record, reporter, tasks) {
  probes_.on_condemned(
      [this](const std::string& container, std::string reason, std::optional<Duration> grace) {
        condemn(container, std::move(reason), grace);
      });
}

Async<void> ContainerRuns::stop() {
  for (auto& [name, run] : runs_) co_await run->tasks.stop();
}

ContainerRunPtr ContainerRuns::find(const std::string& container) const {
  const auto it = runs_.find(container);
  return it == runs_.end() ? nullptr : it->second;
}

Result<PodAccess> ContainerRuns::access(const std::string& container, bool previous) const {
  return access_to(record_, find(container).get(), container, previous);
}

Result<PodStreams> ContainerRuns::streams(const std::string& container) const {
  return streams_of(find(container).get());
}

bool ContainerRuns::any_unstarted() const {
  return std::any_of(runs_.begin(), runs_.end(),
                     [](const auto& entry) { return entry.second->unstarted; });
}

bool ContainerRuns::cleaning() const {
  return std::any_of(runs_.begin(), runs_.end(),
                     [](const auto& entry) { return !entry.second->cleaned; });
}

// The container of the pod's whose newest attempt this is, or a newer one than is on record.
const ContainerSpec* ContainerRuns::spec_of(const LiveContainer& live) const {
  const int attempt = attempt_in(live.id);
  for (const ContainerSpec& spec : record_.spec().containers) {
    if (record_.id_of(spec.name, attempt) == live.id &&
        attempt >= record_.state().at(spec.name).attempt)
      return &spec;
  }
  return nullptr;
}

void ContainerRuns::discard(const std::string& id, const std::string& task) {
  tasks_.spawn(task, [this, id]() -> Async<void> {
    (void)co_await context_.runtime.remove(id);
    (void)co_await context_.images.release(id);
  });
}

void ContainerRuns::adopt(LiveContainer live) {
  const ContainerSpec* const spec = spec_of(live);
  // Of an older attempt: its end was recorded, only the removal is missing.
  if (!spec) return discard(live.id, "remove old");
  ContainerState& c = record_.state().of(spec->name);
  const int attempt = attempt_in(live.id);
  const bool on_record = attempt == c.attempt;
  if (!on_record && c.attempt >= 0) {  // the one on record has ended since
    if (c.exited) c.last = std::move(c.exited);
    c.exited.reset();
    ++c.restarts;
  }
  c.attempt = attempt;
  c.id = live.id;
  if (live.state == RunState::kCreated) {
    // The agent died between create and start: nothing of it has run.
    discard(live.id, "remove unstarted");
    if (!c.exited) c.phase = Phase::kNone;
    return;
  }
  const ExitStatus exit = live.exit;
  const bool ended = live.state == RunState::kExited;
  const bool was_ready = c.ready;
  const bool was_started = c.startup_passed;
  c.phase = Phase::kRunning;
  const ContainerRunPtr run = begin(spec->name, std::move(live));
  if (on_record) c.ready = was_ready, c.startup_passed = was_started;
  if (ended) record_exit(run, exit);
}

void ContainerRuns::settle() {
  for (auto& [name, c] : record_.state().containers) {
    if (c.phase != Phase::kRunning || runs_.contains(name)) continue;
    note_lost(c, context_.timer().now());
    tasks_.spawn("release", [this, id = c.id]() -> Async<void> {
      (void)co_await context_.images.release(id);
    });
  }
}

ContainerRunPtr ContainerRuns::begin(const std::string& name, LiveContainer live) {
  ContainerState& c = record_.state().of(name);
  c.id = live.id;
  c.phase = Phase::kRunning;
  c.started = live.started;
  c.waiting_reason.clear(), c.waiting_message.clear();
  c.ready = false;
  c.startup_passed = false;
  by_id_[live.id] = name;
  const ContainerRunPtr run = open_run(context_, record_, tasks_, name, std::move(live));
  runs_[name] = run;
  if (!json::find(run->container, {"lifecycle", "postStart"})) probes_.begin(*run);
  return run;
}

Async<void> ContainerRuns::post_start(ContainerRunPtr run) {
  const json::Value* hook = json::find(run->container, {"lifecycle", "postStart"});
  if (!hook) co_return;
  auto done = co_await context_.actions.run(*hook, run->target(), kHookLimit);
  if (run->exited) co_return;
  if (done) {
    probes_.begin(*run);
    tasks_.poke();
    co_return;
  }
  reporter_.note_of(run->name, api::EventLevel::kWarning, "FailedPostStartHook",
                    "PostStartHook failed: " + done.error().message());
  condemn(run->name, "FailedPostStartHook", std::nullopt);
}

void ContainerRuns::restart_changed() {
  for (const auto& [name, run] : runs_) {
    const ContainerSpec* spec = record_.spec().find(name);
    if (!spec || run->exited || spec->image == json::string_at(run->container, {"image"})) continue;
    condemn(name, "Container " + name + " definition changed, will be restarted", std::nullopt);
  }
}

void ContainerRuns::condemn(const std::string& container, std::string reason,
                            std::optional<Duration> grace) {
  const ContainerRunPtr run = find(container);
  if (!run || run->exited || record_.state().of(container).phase != Phase::kRunning) return;
  record_.state().of(container).ready = false;
  run->kill_grace = grace;
  order_stop(container, reason);
  tasks_.poke();
}

void ContainerRuns::order_stop(const std::string& container, const std::string& reason) {
  const ContainerRunPtr run = find(container);
  if (!run) return;
  record_.state().of(container).phase = Phase::kStopping;
  tasks_.spawn("stop " + container, [this, run, reason] { return stop_run(run, reason); });
}

Async<bool> ContainerRuns::wait_for_exit(ContainerRunPtr run, Duration limit) {
  const MonoTime end = context_.timer().monotonic() + limit;
  while (!run->exited) {
    const Duration left = end - context_.timer().monotonic();
    if (left <= Duration::zero()) co_return false;
    co_await run->changed.wait_for(context_.timer(), left);
    if (tasks_.stopping()) co_return false;
  }
  co_return true;
}

Async<void> ContainerRuns::stop_run(ContainerRunPtr run, std::string reason) {
  const Duration grace = run->kill_grace.value_or(record_.spec().grace);
  const MonoTime end = context_.timer().monotonic() + grace;
  reporter_.note_of(run->name, api::EventLevel::kNormal, "Killing",
                    reason == kPodStops ? reason + " " + run->name : reason);
  const json::Value* hook = json::find(run->container, {"lifecycle", "preStop"});
  if (hook && grace > Duration::zero() && !run->exited) {
    auto done = co_await context_.actions.run(*hook, run->target(), grace);
    if (!done) {
      reporter_.note_of(run->name, api::EventLevel::kWarning, "FailedPreStopHook",
                        "PreStopHook failed: " + done.error().message());
    }
  }
  bool gone = run->exited;
  if (!gone && grace > Duration::zero()) {
    (void)co_await context_.runtime.signal(run->id, run->stop_signal());
    const Duration left = std::max<Duration>(end - context_.timer().monotonic(), kTermWait);
    gone = co_await wait_for_exit(run, left);
  }
  while (!gone && !tasks_.stopping()) {
    (void)co_await context_.runtime.signal(run->id, SIGKILL);
    gone = co_await wait_for_exit(run, kKillWait);
  }
}

void ContainerRuns::exited(const std::string& id, const ExitStatus& exit) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return;
  const ContainerRunPtr run = find(it->second);
  if (!run || run->id != id || run->exited) return;
  record_exit(run, exit);
  tasks_.poke();
}

void ContainerRuns::record_exit(const ContainerRunPtr& run, const ExitStatus& exit) {
  run->exited = true;
  run->changed.notify();
  const std::string& name = run->name;
  const PodSpec& pod = record_.spec();
  const ContainerSpec& spec = *pod.find(name);
  ContainerState& c = record_.state().of(name);
  const AfterExit after = note_exit(c, pod, spec, exit, context_.timer().now());
  c.exited->message = termination_message(
      spec,
      {record_.scratch_of(name, c.attempt) + "/termination-log", record_.log_of(name, c.attempt)},
      exit.code);
  if (after == AfterExit::kBacksOff) {
    reporter_.note_of(name, api::EventLevel::kWarning, "BackOff",
                      fmt::format("Back-off restarting failed container {} in pod {}_{}({})", name,
                                  pod.name, pod.ns, pod.uid));
  }
  tasks_.spawn("after " + name, [this, run] { return clean_up(run); });
}

// Output to its end, then everything that the run held.
Async<void> ContainerRuns::clean_up(ContainerRunPtr run) {
  const MonoTime end = context_.timer().monotonic() + kPumpGrace;
  while (run->pumps > 0 && context_.timer().monotonic() < end) {
    // Who escaped the container may hold its pipe open for ever.
    co_await run->changed.wait_for(context_.timer(), kPumpGrace);
    if (tasks_.stopping()) co_return;
  }
  co_await run->tasks.stop();
  run->log->finish();
  run->stdin_pipe.reset(), run->terminal.reset();
  for (;;) {
    auto removed = co_await context_.runtime.remove(run->id);
    if (removed || tasks_.stopping()) break;
    log::warn(
        "container cannot be removed yet; trying again",
        {{"pod", record_.spec().key()}, {"container", run->name}, {"error", removed.error()}});
    const bool slept = co_await context_.timer().sleep_for(kRemoveRetry);
    if (!slept) co_return;
  }
  (void)co_await context_.images.release(run->id);
  run->cleaned = true;
  by_id_.erase(run->id);
  tasks_.poke();
  if (record_.spec().deleting) co_return;  // its files go with the pod's
  co_await remove_files(context_, record_, run);
  tasks_.poke();
}

bool ContainerRuns::knows(const std::string& id) const {
  if (by_id_.contains(id)) return true;
  const auto& all = record_.state().containers;
  return std::any_of(all.begin(), all.end(),
                     [&](const auto& entry) { return entry.second.id == id; });
}

void ContainerRuns::close_stdin(const std::string& container) {
  const ContainerRunPtr run = find(container);
  if (!run) return;
  run->stdin_pipe.reset();
  tasks_.spawn("close stdin", [this, id = run->id]() -> Async<void> {
    (void)co_await context_.runtime.close_stdin(id);
  });
}

}  // namespace atl::node

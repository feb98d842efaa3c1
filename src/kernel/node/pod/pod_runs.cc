// Containers that run: output, probes, hooks, and their end.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/io/files.h"
#include "base/observe/log.h"
#include "kernel/node/logs/log_pump.h"
#include "kernel/node/logs/log_reader.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/pod_worker.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kPumpGrace = std::chrono::seconds(2);
constexpr Duration kKillWait = std::chrono::seconds(10);
constexpr Duration kRemoveRetry = std::chrono::seconds(1);
constexpr Duration kHookLimit = std::chrono::minutes(10);
constexpr size_t kMessageMax = 4'096;
constexpr int64_t kFallbackLines = 80;
constexpr int64_t kFallbackBytes = 2'048;

int signal_number(std::string_view text) {
  static const std::pair<std::string_view, int> names[] = {
      {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL},
      {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"WINCH", SIGWINCH},
      {"STOP", SIGSTOP}, {"ABRT", SIGABRT}};
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (const auto& [name, number] : names) {
    if (text == name) return number;
  }
  const int number = std::atoi(std::string(text).c_str());
  return number > 0 && number < 65 ? number : SIGTERM;
}

std::string ended_reason(const ExitStatus& exit) {
  if (exit.unknown) return "ContainerStatusUnknown";
  if (exit.oom_killed) return "OOMKilled";
  return exit.code == 0 ? "Completed" : "Error";
}

}  // namespace

void PodWorker::spawn(const std::string& name, std::function<Async<void>()> body) {
  tasks_.spawn(name, [this, name, body = std::move(body)] {
    return contained(
        context_.timer(), body, [this, name](const std::string& fault) { tell_fault(name, fault); },
        Again::kUntilDone);
  });
}

void PodWorker::tell_fault(const std::string& task, const std::string& message) {
  log::error("a task of a pod failed; trying again",
             {{"pod", spec_->key()}, {"task", task}, {"error", message}});
  note(api::EventLevel::kWarning, "FailedSync", "Error syncing pod: " + task + ": " + message);
}

void PodWorker::begin_run(const std::string& name, LiveContainer live) {
  ContainerState& c = state_.of(name);
  const ContainerSpec& spec = *spec_->find(name);
  auto run = std::make_shared<Run>(context_.seams.executor);
  run->id = live.id;
  run->bundle = bundle_of(name, c.attempt);
  run->scratch = scratch_of(name, c.attempt);
  (void)io::make_folders(std::filesystem::path(log_of(name, c.attempt)).parent_path(), 0755);
  run->log = std::make_shared<ContainerLog>(log_of(name, c.attempt), context_.timer(),
                                            context_.log_limits);
  run->container = spec.doc;
  run->pod_ip = pod_ip();
  std::string stop_signal(json::string_at(spec.doc, {"lifecycle", "stopSignal"}));
  auto config = io::read_file(run->bundle + "/config.json");
  auto parsed = config ? json::parse(*config) : Result<json::Value>(json::Value(json::Object{}));
  if (parsed) {
    run->process = json::object_at(*parsed, {"process"});
    if (stop_signal.empty())
      stop_signal = json::string_at(*parsed, {"annotations", kStopSignal}, "TERM");
  }
  run->stop_signal = signal_number(stop_signal);
  runs_[name] = run;
  by_id_[live.id] = name;
  c.id = live.id;
  c.phase = Phase::kRunning;
  c.started = live.started;
  c.waiting_reason.clear(), c.waiting_message.clear();
  c.ready = false;
  c.startup_passed = false;
  if (live.terminal) live.stdout_pipe.reset(::fcntl(live.terminal.get(), F_DUPFD_CLOEXEC, 3));
  run->stdin_pipe = std::move(live.stdin_pipe);
  run->terminal = std::move(live.terminal);
  for (auto [fd, stream] : {std::pair(&live.stdout_pipe, LogStream::kStdout),
                            std::pair(&live.stderr_pipe, LogStream::kStderr)}) {
    if (!*fd) continue;
    ++run->pumps;
    auto held = std::make_shared<io::UniqueFd>(std::move(*fd));
    run->tasks.spawn("log " + name,
                     [&timer = context_.timer(), executor = context_.seams.executor, held, stream,
                      run = run.get(), told = [this, name](const std::string& fault) {
                        tell_fault("log of " + name, fault);
                      }]() -> Async<void> {
                       auto pump = [&] {
                         return pump_log(executor, std::move(*held), stream, run->log);
                       };
                       co_await contained(timer, pump, told, Again::kNever);
                       --run->pumps;
                       run->changed.notify();
                     });
  }
  if (!json::find(spec.doc, {"lifecycle", "postStart"})) begin_probes(name, run);
}

Async<void> PodWorker::post_start(std::string name, RunPtr run) {
  const json::Value* hook = json::find(run->container, {"lifecycle", "postStart"});
  if (!hook) co_return;
  ActionTarget target{run->pod_ip, run->id, run->bundle, run->process, run->container};
  auto done = co_await context_.actions.run(*hook, std::move(target), kHookLimit);
  if (run->exited) co_return;
  if (done) {
    begin_probes(name, run);
    poke();
    co_return;
  }
  note(api::EventLevel::kWarning, "FailedPostStartHook",
       "PostStartHook failed: " + done.error().message());
  condemn(name, run, "FailedPostStartHook", std::nullopt);
}

void PodWorker::begin_probes(const std::string& name, const RunPtr& run) {
  if (probe_of(run->container, ProbeKind::kStartup))
    return add_probe(name, run, ProbeKind::kStartup);
  begin_regular_probes(name, run);
}

void PodWorker::begin_regular_probes(const std::string& name, const RunPtr& run) {
  ContainerState& c = state_.of(name);
  c.startup_passed = true;
  c.ready = !probe_of(run->container, ProbeKind::kReadiness);
  for (const ProbeKind kind : {ProbeKind::kReadiness, ProbeKind::kLiveness}) {
    if (probe_of(run->container, kind)) add_probe(name, run, kind);
  }
}

void PodWorker::add_probe(const std::string& name, const RunPtr& run, ProbeKind kind) {
  const ProbeSpec spec = *probe_of(run->container, kind);
  // The run outlives its tasks; it is looked at by address so that it does not own itself.
  Run* const r = run.get();
  ProbeEvents events;
  events.wanted = [this, name, r] {
    return !r->exited && state_.of(name).phase == Phase::kRunning;
  };
  events.failed = [this, kind](const std::string& message) {
    note(api::EventLevel::kWarning, "Unhealthy",
         fmt::format("{} probe failed: {}", text(kind), message));
  };
  events.verdict = [this, name, r, kind, grace = spec.grace](bool healthy) {
    const RunPtr current = run_of(name);
    if (current.get() != r) return;
    ContainerState& c = state_.of(name);
    switch (kind) {
      case ProbeKind::kReadiness:
        if (c.ready == healthy) return;
        c.ready = healthy;
        break;
      case ProbeKind::kStartup:
        if (healthy) {
          begin_regular_probes(name, current);
          break;
        }
        [[fallthrough]];
      case ProbeKind::kLiveness:
        if (healthy) return;
        condemn(name, current,
                fmt::format("Container {} failed {} probe, will be restarted", name,
                            kind == ProbeKind::kStartup ? "startup" : "liveness"),
                grace);
        break;
    }
    poke();
  };
  ActionTarget target{run->pod_ip, run->id, run->bundle, run->process, run->container};
  run->tasks.spawn("probe " + name, [this, name, kind, spec, target, events]() -> Async<void> {
    auto probe = [&] {
      return run_probe(kind, spec, target, context_.actions, context_.timer(), events);
    };
    co_await contained(
        context_.timer(), probe,
        [&](const std::string& fault) { tell_fault("probe of " + name, fault); },
        Again::kUntilDone);
  });
}

void PodWorker::condemn(const std::string& name, const RunPtr& run, std::string reason,
                        std::optional<Duration> grace) {
  ContainerState& c = state_.of(name);
  if (c.phase != Phase::kRunning || run->exited) return;
  c.phase = Phase::kStopping;
  c.ready = false;
  run->kill_grace = grace;
  spawn("stop " + name, [this, name, run, reason] { return stop_container(name, run, reason); });
  poke();
}

Async<bool> PodWorker::wait_for_exit(RunPtr run, Duration limit) {
  const MonoTime end = context_.timer().monotonic() + limit;
  while (!run->exited) {
    const Duration left = end - context_.timer().monotonic();
    if (left <= Duration::zero()) co_return false;
    co_await run->changed.wait_for(context_.timer(), left);
    if (tasks_.stopping()) co_return false;
  }
  co_return true;
}

Async<void> PodWorker::stop_container(std::string name, RunPtr run, std::string reason) {
  const Duration grace = run->kill_grace.value_or(spec_->grace);
  const MonoTime end = context_.timer().monotonic() + grace;
  note(api::EventLevel::kNormal, "Killing",
       reason == "Stopping container" ? "Stopping container " + name : reason);
  const json::Value* hook = json::find(run->container, {"lifecycle", "preStop"});
  if (hook && grace > Duration::zero() && !run->exited) {
    ActionTarget target{run->pod_ip, run->id, run->bundle, run->process, run->container};
    auto done = co_await context_.actions.run(*hook, std::move(target), grace);
    if (!done) {
      note(api::EventLevel::kWarning, "FailedPreStopHook",
           "PreStopHook failed: " + done.error().message());
    }
  }
  bool gone = run->exited;
  if (!gone && grace > Duration::zero()) {
    (void)co_await context_.runtime.signal(run->id, run->stop_signal);
    const Duration left =
        std::max<Duration>(end - context_.timer().monotonic(), std::chrono::seconds(2));
    gone = co_await wait_for_exit(run, left);
  }
  while (!gone && !tasks_.stopping()) {
    (void)co_await context_.runtime.signal(run->id, SIGKILL);
    gone = co_await wait_for_exit(run, kKillWait);
  }
}

void PodWorker::container_exited(const std::string& id, const ExitStatus& exit) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return;
  const std::string name = it->second;
  const RunPtr run = run_of(name);
  if (!run || run->id != id || run->exited) return;
  record_exit(name, exit);
  poke();
}

void PodWorker::record_exit(const std::string& name, const ExitStatus& exit) {
  ContainerState& c = state_.of(name);
  const RunPtr run = run_of(name);
  run->exited = true;
  run->changed.notify();
  const bool asked_for = c.phase == Phase::kStopping && spec_->deleting;
  c.phase = Phase::kExited;
  c.ready = false;
  c.exited = Termination{.code = exit.code,
                         .signal = exit.signal,
                         .reason = ended_reason(exit),
                         .message = {},
                         .started = c.started,
                         .finished = exit.finished,
                         .id = c.id};
  c.exited->message = termination_message(name, c);
  // The back-off starts anew after a long run.
  c.crashes = exit.finished - c.started >= kCrashReset ? 1 : c.crashes + 1;
  const Duration pause = crash_backoff(c.crashes);
  c.retry_at = context_.timer().now() + pause;
  const ContainerSpec& spec = *spec_->find(name);
  const bool restarts = spec_->restart_policy == RestartPolicy::kAlways ||
                        spec.role == ContainerSpec::Role::kSidecar ||
                        (exit.code != 0 && spec_->restart_policy == RestartPolicy::kOnFailure);
  const bool init_done = spec.role == ContainerSpec::Role::kInit && exit.code == 0;
  if (restarts && !init_done && !asked_for && pause > Duration::zero() && !spec_->deleting) {
    const std::string where = fmt::format("{}_{}({})", spec_->name, spec_->ns, spec_->uid);
    c.waiting_reason = "CrashLoopBackOff";
    c.waiting_message =
        fmt::format("back-off {}s restarting failed container={} pod={}",
                    std::chrono::duration_cast<std::chrono::seconds>(pause).count(), name, where);
    note(api::EventLevel::kWarning, "BackOff",
         fmt::format("Back-off restarting failed container {} in pod {}", name, where));
  }
  spawn("after " + name, [this, name, run] { return after_exit(name, run); });
}

// Output to its end, then everything that the run held.
Async<void> PodWorker::after_exit(std::string name, RunPtr run) {
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
    log::warn("container cannot be removed yet; trying again",
              {{"pod", spec_->key()}, {"container", name}, {"error", removed.error()}});
    const bool slept = co_await context_.timer().sleep_for(kRemoveRetry);
    if (!slept) co_return;
  }
  (void)co_await context_.images.release(run->id);
  run->cleaned = true;
  by_id_.erase(run->id);
  poke();
  if (spec_->deleting) co_return;  // its files go with the pod's
  co_await context_.offload.run([bundle = run->bundle, scratch = run->scratch] {
    std::error_code ignored;
    std::filesystem::remove_all(bundle, ignored);
    std::filesystem::remove_all(scratch, ignored);
    return 0;
  });
  // Of old runs only the last one's log is kept.
  const int attempt = state_.of(name).attempt;
  for (int old = attempt - 2; old >= 0 && ::unlink(log_of(name, old).c_str()) == 0; --old) {
    for (int i = 1; i < context_.log_limits.files; ++i)
      ::unlink((log_of(name, old) + "." + std::to_string(i)).c_str());
  }
  poke();
}

std::string PodWorker::termination_message(const std::string& name, const ContainerState& c) const {
  const ContainerSpec& spec = *spec_->find(name);
  auto text = io::read_file(scratch_of(name, c.attempt) + "/termination-log", 1 << 20);
  if (text && !text->empty()) return text->substr(0, kMessageMax);
  const bool from_log =
      json::string_at(spec.doc, {"terminationMessagePolicy"}) == "FallbackToLogsOnError";
  if (!from_log || !c.exited || c.exited->code == 0) return {};
  const io::UniqueFd fd(::open(log_of(name, c.attempt).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  auto from = tail_offset(fd.get(), kFallbackLines);
  if (!from) return {};
  std::string raw(64 * 1024, '\0');
  const ssize_t n = ::pread(fd.get(), raw.data(), raw.size(), *from);
  raw.resize(n > 0 ? size_t(n) : 0);
  std::string out;
  for (size_t at = 0, next = 0; (next = raw.find('\n', at)) != std::string::npos; at = next + 1) {
    if (const auto line = parse_log_line(std::string_view(raw).substr(at, next - at))) {
      out.append(line->text);
      if (!line->partial) out.push_back('\n');
    }
  }
  return out.size() > size_t(kFallbackBytes) ? out.substr(out.size() - size_t(kFallbackBytes))
                                             : out;
}

}  // namespace atl::node

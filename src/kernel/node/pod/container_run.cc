#include "kernel/node/pod/container_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "base/io/files.h"
#include "kernel/node/logs/log_pump.h"
#include "kernel/node/runtime/oci_spec.h"

namespace atl::node {
namespace {

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

// Counted until it ends, however it does.
class Pumping {
 public:
  explicit Pumping(ContainerRun* run) : run_(run) {}
  ~Pumping() { --run_->pumps, run_->changed.notify(); }
  Pumping(const Pumping&) = delete;

 private:
  ContainerRun* run_;
};

void read_output(const PodContext& context, PodTasks& tasks, ContainerRun& run, io::UniqueFd fd,
                 LogStream stream) {
  if (!fd) return;
  ++run.pumps;
  auto held = std::make_shared<io::UniqueFd>(std::move(fd));
  // The run outlives its tasks; it is looked at by address so that it does not own itself.
  tasks.spawn_in(
      run.tasks, "log of " + run.name,
      [executor = context.seams.executor, held, stream, r = &run]() -> Async<void> {
        const Pumping pumping(r);
        co_await pump_log(executor, std::move(*held), stream, r->log);
      },
      Again::kNever);
}

}  // namespace

const ContainerRun::Told& ContainerRun::told() {
  if (told_) return *told_;
  told_.emplace();
  auto config = io::read_file(bundle + "/config.json");
  auto parsed = config ? json::parse(*config) : Result<json::Value>(std::move(config).error());
  if (!parsed) return *told_;
  told_->process = json::object_at(*parsed, {"process"});
  told_->stop_signal = json::string_at(*parsed, {"annotations", kStopSignal});
  return *told_;
}

ActionTarget ContainerRun::target() {
  return {pod_ip, id, bundle, told().process, container};
}

int ContainerRun::stop_signal() {
  const std::string_view own = json::string_at(container, {"lifecycle", "stopSignal"});
  return signal_number(own.empty() ? std::string_view(told().stop_signal) : own);
}

ContainerRunPtr open_run(const PodContext& context, const PodRecord& record, PodTasks& tasks,
                         const std::string& name, LiveContainer live) {
  const int attempt = record.state().at(name).attempt;
  auto run = std::make_shared<ContainerRun>(context.seams.executor);
  run->name = name;
  run->id = live.id;
  run->bundle = record.bundle_of(name, attempt);
  run->scratch = record.scratch_of(name, attempt);
  const std::string log = record.log_of(name, attempt);
  (void)io::make_folders(std::filesystem::path(log).parent_path(), 0755);
  run->log = std::make_shared<ContainerLog>(log, context.timer(), context.log_limits);
  run->container = record.spec().find(name)->doc;
  run->pod_ip = record.pod_ip();
  if (live.terminal) live.stdout_pipe.reset(::fcntl(live.terminal.get(), F_DUPFD_CLOEXEC, 3));
  run->stdin_pipe = std::move(live.stdin_pipe);
  run->terminal = std::move(live.terminal);
  read_output(context, tasks, *run, std::move(live.stdout_pipe), LogStream::kStdout);
  read_output(context, tasks, *run, std::move(live.stderr_pipe), LogStream::kStderr);
  return run;
}

Async<void> remove_files(const PodContext& context, const PodRecord& record, ContainerRunPtr run) {
  co_await context.offload.run([bundle = run->bundle, scratch = run->scratch] {
    std::error_code ignored;
    std::filesystem::remove_all(bundle, ignored);
    std::filesystem::remove_all(scratch, ignored);
    return 0;
  });
  // Of old runs only the last one's log is kept.
  int old = record.state().at(run->name).attempt - 2;
  for (; old >= 0; --old) {
    const std::string log = record.log_of(run->name, old);
    if (::unlink(log.c_str()) < 0) break;
    for (int i = 1; i < context.log_limits.files; ++i)
      ::unlink((log + "." + std::to_string(i)).c_str());
  }
}

}  // namespace atl::node

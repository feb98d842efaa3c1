#include "kernel/node/pod/container_exit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/io/files.h"
#include "base/io/unique_fd.h"
#include "kernel/node/logs/log_reader.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr size_t kMessageMax = 4'096;
constexpr int64_t kFallbackLines = 80;
constexpr size_t kFallbackBytes = 2'048;
constexpr size_t kFallbackRead = 64 * 1'024;
constexpr int kStartErrorCode = 128;
constexpr int kLostCode = 137;

std::string ended_reason(const ExitStatus& exit) {
  if (exit.unknown) return "ContainerStatusUnknown";
  if (exit.oom_killed) return "OOMKilled";
  return exit.code == 0 ? "Completed" : "Error";
}

std::string last_lines(const std::string& log) {
  const io::UniqueFd fd(::open(log.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return {};
  auto from = tail_offset(fd.get(), kFallbackLines);
  if (!from) return {};
  std::string raw(kFallbackRead, '\0');
  const ssize_t n = ::pread(fd.get(), raw.data(), raw.size(), *from);
  raw.resize(n > 0 ? size_t(n) : 0);
  std::string out;
  for (size_t at = 0, next = 0; (next = raw.find('\n', at)) != std::string::npos; at = next + 1) {
    if (const auto line = parse_log_line(std::string_view(raw).substr(at, next - at))) {
      out.append(line->text);
      if (!line->partial) out.push_back('\n');
    }
  }
  return out.size() > kFallbackBytes ? out.substr(out.size() - kFallbackBytes) : out;
}

bool starts_again(const PodSpec& pod, const ContainerSpec& spec, int code) {
  if (spec.role == ContainerSpec::Role::kInit && code == 0) return false;
  return pod.restart_policy == RestartPolicy::kAlways ||
         spec.role == ContainerSpec::Role::kSidecar ||
         (code != 0 && pod.restart_policy == RestartPolicy::kOnFailure);
}

}  // namespace

std::string termination_message(const ContainerSpec& spec, const ExitFiles& files, int exit_code) {
  auto text = io::read_file(files.termination_log, 1 << 20);
  if (text && !text->empty()) return text->substr(0, kMessageMax);
  const bool from_log =
      json::string_at(spec.doc, {"terminationMessagePolicy"}) == "FallbackToLogsOnError";
  return from_log && exit_code != 0 ? last_lines(files.log) : std::string();
}

AfterExit note_exit(ContainerState& state, const PodSpec& pod, const ContainerSpec& spec,
                    const ExitStatus& exit, WallTime now) {
  state.phase = Phase::kExited;
  state.ready = false;
  state.exited = Termination{.code = exit.code,
                             .signal = exit.signal,
                             .reason = ended_reason(exit),
                             .message = {},
                             .started = state.started,
                             .finished = exit.finished,
                             .id = state.id};
  // The back-off starts anew after a long run.
  state.crashes = exit.finished - state.started >= kCrashReset ? 1 : state.crashes + 1;
  const Duration pause = crash_backoff(state.crashes);
  state.retry_at = now + pause;
  if (pod.deleting || pause == Duration::zero() || !starts_again(pod, spec, exit.code))
    return AfterExit::kSettled;
  state.waiting_reason = "CrashLoopBackOff";
  state.waiting_message =
      fmt::format("back-off {}s restarting failed container={} pod={}_{}({})",
                  std::chrono::duration_cast<std::chrono::seconds>(pause).count(), spec.name,
                  pod.name, pod.ns, pod.uid);
  return AfterExit::kBacksOff;
}

void note_start_failure(ContainerState& state, const std::string& message, WallTime now) {
  state.phase = Phase::kExited;
  state.ready = false;
  state.exited = Termination{.code = kStartErrorCode,
                             .reason = "StartError",
                             .message = message,
                             .started = now,
                             .finished = now,
                             .id = state.id};
  ++state.crashes;
  state.waiting_reason = state.crashes == 1 ? "RunContainerError" : "CrashLoopBackOff";
  state.waiting_message = message;
  state.retry_at = now + crash_backoff(state.crashes + 1);
}

void note_lost(ContainerState& state, WallTime now) {
  state.phase = Phase::kExited;
  state.exited =
      Termination{.code = kLostCode,
                  .reason = "ContainerStatusUnknown",
                  .message = "The container could not be located when the node started again",
                  .started = state.started,
                  .finished = now,
                  .id = state.id};
  state.ready = false;
}

}  // namespace atl::node

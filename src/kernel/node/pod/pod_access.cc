#include "kernel/node/pod/pod_access.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/io/files.h"

namespace atl::node {
namespace {

Result<io::UniqueFd> copy_of(const io::UniqueFd& fd) {
  if (!fd) return io::UniqueFd();
  io::UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return io::errno_error("copy a container's stream", errno);
  return copy;
}

Error not_run_yet(const PodSpec& pod, const std::string& container, bool previous,
                  const std::string& waiting) {
  if (previous) {
    return Error(Code::kBadRequest,
                 fmt::format("previous terminated container \"{}\" in pod \"{}\" not found",
                             container, pod.name));
  }
  return Error(Code::kBadRequest,
               fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container,
                           pod.name, waiting.empty() ? "ContainerCreating" : waiting));
}

}  // namespace

Result<PodAccess> access_to(const PodRecord& record, const ContainerRun* run,
                            const std::string& container, bool previous) {
  const ContainerSpec* spec = record.spec().find(container);
  if (!spec) {
    return Error(Code::kNotFound,
                 fmt::format("container {} not found in pod {}", container, record.spec().key()));
  }
  const ContainerState& c = record.state().at(container);
  const int attempt = previous ? c.attempt - 1 : c.attempt;
  if (attempt < 0) return not_run_yet(record.spec(), container, previous, c.waiting_reason);
  PodAccess out;
  out.terminal = json::bool_at(spec->doc, {"tty"});
  out.id = record.id_of(container, attempt);
  out.bundle = record.bundle_of(container, attempt);
  out.started = c.started;
  out.log_file = record.log_of(container, attempt);
  if (previous || !run || run->id != out.id) return out;
  out.log = run->log;
  out.running = !run->exited;
  return out;
}

Result<PodStreams> streams_of(const ContainerRun* run) {
  PodStreams out;
  if (!run) return out;
  TRY(out.stdin_pipe, copy_of(run->stdin_pipe));
  TRY(out.terminal, copy_of(run->terminal));
  return out;
}

}  // namespace atl::node

#pragma once

#include <string>

#include "base/core/clock.h"
#include "base/io/unique_fd.h"
#include "kernel/node/logs/container_log.h"
#include "kernel/node/pod/container_run.h"

namespace atl::node {

// One run of a container, for logs, exec and attach. A moment's view, the caller's own: the run may
// end while it is used.
struct PodAccess {
  std::string id;
  std::string bundle;
  bool running = false;
  bool terminal = false;
  WallTime started{};
  std::string log_file;
  ContainerLogPtr log;  // null where the run is over
  // Copies. Whoever holds stdin_pipe keeps the container from seeing the end of its input.
  io::UniqueFd stdin_pipe, terminal_fd;
};

// `run`: the container's newest, may be null. kNotFound where the pod has no such container;
// kBadRequest in kubelet's words where it has not run yet; kExhausted without a free descriptor.
Result<PodAccess> access_to(const PodRecord& record, const ContainerRun* run,
                            const std::string& container, bool previous);

}  // namespace atl::node

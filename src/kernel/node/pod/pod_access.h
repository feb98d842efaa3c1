#pragma once

#include <string>

#include "base/core/clock.h"
#include "base/io/unique_fd.h"
#include "kernel/node/logs/container_log.h"
#include "kernel/node/pod/container_run.h"

namespace atl::node {

// One run of a container, for logs, exec and attach. A moment's view: the run may end meanwhile.
struct PodAccess {
  std::string id;
  std::string bundle;
  bool running = false;
  bool terminal = false;
  WallTime started{};
  std::string log_file;
  ContainerLogPtr log;  // null where the run is over
};

// What who attaches to a run writes to, and the terminal: copies of the caller's own, none where
// there is no such stream. Whoever holds stdin_pipe keeps the container from seeing the end of its
// input.
struct PodStreams {
  io::UniqueFd stdin_pipe, terminal;
};

// `run`: the container's newest, may be null. kNotFound where the pod has no such container;
// kBadRequest in kubelet's words where it has not run yet.
Result<PodAccess> access_to(const PodRecord& record, const ContainerRun* run,
                            const std::string& container, bool previous);
// `run` may be null. kExhausted without a free descriptor.
Result<PodStreams> streams_of(const ContainerRun* run);

}  // namespace atl::node

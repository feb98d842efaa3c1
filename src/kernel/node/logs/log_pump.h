#pragma once

#include "base/async/task.h"
#include "base/io/unique_fd.h"
#include "kernel/node/logs/container_log.h"

namespace atl::node {

// Brings what comes from a container's pipe (or terminal) to its log until the pipe's end. The
// keeper holds another copy of the read end, so the end of this coroutine, or of the agent, loses
// nothing.
Async<void> pump_log(Executor executor, io::UniqueFd fd, LogStream stream, ContainerLogPtr log);

}  // namespace atl::node

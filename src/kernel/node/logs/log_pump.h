#pragma once

#include "base/async/task.h"
#include "base/io/unique_fd.h"
#include "kernel/node/logs/container_log.h"

namespace atl::node {

// Reads a container's pipe (or terminal) until its end and writes what comes to the log. The keeper
// holds another copy of the read end, so the end of this coroutine, or of the agent, loses nothing.
Async<void> pump_log(Executor executor, io::UniqueFd fd, LogStream stream, ContainerLogPtr log);

// Whatever is in the pipe now, without waiting. For a container that has ended: its pipe may be
// held open by a process that escaped, so its end may never come.
void drain_now(int fd, LogStream stream, ContainerLog& log);

}  // namespace atl::node

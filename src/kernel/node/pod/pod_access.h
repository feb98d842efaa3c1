#pragma once

#include <string>

#include "base/core/clock.h"
#include "kernel/node/logs/container_log.h"

namespace atl::node {

// One run of a container, for logs, exec and attach. A moment's view: copied out of the worker.
struct PodAccess {
  std::string id;
  std::string bundle;
  bool running = false;
  bool terminal = false;
  WallTime started{};
  std::string log_file;
  ContainerLogPtr log;  // null where the run is over
  // The run's own: to be copied before anything is waited for.
  int stdin_fd = -1;
  int terminal_fd = -1;
};

}  // namespace atl::node

#pragma once

#include <optional>
#include <string>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/io/unique_fd.h"
#include "base/text/json.h"
#include "kernel/node/logs/container_log.h"

namespace atl::node {

// What lives with one run of a container and is not kept on disk.
struct ContainerRun {
  explicit ContainerRun(const Executor& executor) : tasks(executor) {}
  std::string id;
  std::string bundle;
  std::string scratch;
  ContainerLogPtr log;
  io::UniqueFd stdin_pipe, terminal;
  json::Value process;  // of its OCI spec
  json::Value container;
  std::string pod_ip;
  int pumps = 0;
  Event changed;           // exited, or a pump ended
  bool unstarted = false;  // created; the command has not begun
  bool exited = false;
  bool cleaned = false;                // runtime, image and files have let go of it
  std::optional<Duration> kill_grace;  // of the probe that condemned it
  TaskGroup tasks;                     // pumps and probes
  int stop_signal = 15;
};

}  // namespace atl::node

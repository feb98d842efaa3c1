#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/io/unique_fd.h"
#include "base/text/json.h"
#include "kernel/node/logs/container_log.h"
#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_tasks.h"
#include "kernel/node/probe/action.h"
#include "kernel/node/runtime/runtime.h"

namespace atl::node {

// What lives with one run of a container and is not kept on disk. Shared by the tasks that watch
// over the run, which may outlast its place in ContainerRuns. One executor.
struct ContainerRun {
  explicit ContainerRun(const Executor& executor) : tasks(executor) {}
  std::string name;  // of the container
  std::string id;
  std::string bundle;
  std::string scratch;
  ContainerLogPtr log;
  io::UniqueFd stdin_pipe, terminal;
  json::Value container;
  std::string pod_ip;
  int pumps = 0;
  Event changed;           // exited, or a pump ended
  bool unstarted = false;  // created; the command has not begun
  bool exited = false;
  bool cleaned = false;                // runtime, image and files have let go of it
  std::optional<Duration> kill_grace;  // of the probe that condemned it
  TaskGroup tasks;                     // pumps and probes

  // What hooks and probes need to know of it.
  ActionTarget target();
  int stop_signal();

 private:
  // What the runtime was told of the run, in its bundle: read when it is asked for, which is after
  // a start that others wait for.
  struct Told {
    json::Value process;
    std::string stop_signal;
  };
  const Told& told();
  std::optional<Told> told_;
};
using ContainerRunPtr = std::shared_ptr<ContainerRun>;

// A run of the container's newest attempt over a process that the keeper has; its output is read
// into its log from now on.
ContainerRunPtr open_run(const PodContext& context, const PodRecord& record, PodTasks& tasks,
                         const std::string& name, LiveContainer live);

// What a run that is over left; of the container's logs those of its last two runs stay.
Async<void> remove_files(const PodContext& context, const PodRecord& record, ContainerRunPtr run);

}  // namespace atl::node

#pragma once

#include <map>
#include <optional>
#include <string>

#include "kernel/node/pod/container_probes.h"
#include "kernel/node/pod/container_run.h"
#include "kernel/node/pod/pod_access.h"
#include "kernel/node/pod/pod_reporter.h"

namespace atl::node {

// The runs of one pod's containers, from a process that exists to the last file of it: output,
// hooks, probes, the stop with its grace, the end on record, the clean-up. Of each container the
// newest run is here.
//
// Owned by PodWorker; stop() before it is destroyed. One executor. Errors: none; what fails is told
// as an event, or tried again.
class ContainerRuns {
 public:
  ContainerRuns(PodContext& context, PodRecord& record, PodReporter& reporter, PodTasks& tasks);
  Async<void> stop();

  // A container that the keeper held when this agent came; the runtime lets go of what is not the
  // newest. After all of them settle(): what is on record as running and was not there ended
  // unseen.
  void adopt(LiveContainer live);
  void settle();

  // A new run; its probes begin unless a postStart hook comes first.
  ContainerRunPtr begin(const std::string& name, LiveContainer live);
  // Its command has begun: the postStart hook, and what follows from it.
  Async<void> post_start(ContainerRunPtr run);
  void exited(const std::string& id, const ExitStatus& exit);
  // Everything that the run held is let go of; its record is the caller's.
  Async<void> clean_up(ContainerRunPtr run);

  // Begins the end of a container with the pod's grace; nothing where it has no run.
  void order_stop(const std::string& container, const std::string& reason);
  // The image of a running container is the one field of it that a pod's owner may change.
  void restart_changed();

  ContainerRunPtr find(const std::string& container) const;
  bool knows(const std::string& id) const;
  bool any() const { return !runs_.empty(); }
  bool any_unstarted() const;
  // Something of a run is still to be removed.
  bool cleaning() const;

  // See access_to(), streams_of().
  Result<PodAccess> access(const std::string& container, bool previous) const;
  Result<PodStreams> streams(const std::string& container) const;
  void close_stdin(const std::string& container);

 private:
  const ContainerSpec* spec_of(const LiveContainer& live) const;
  void discard(const std::string& id, const std::string& task);
  void condemn(const std::string& container, std::string reason, std::optional<Duration> grace);
  Async<void> stop_run(ContainerRunPtr run, std::string reason);
  Async<bool> wait_for_exit(ContainerRunPtr run, Duration limit);
  void record_exit(const ContainerRunPtr& run, const ExitStatus& exit);

  PodContext& context_;
  PodRecord& record_;
  PodReporter& reporter_;
  PodTasks& tasks_;
  ContainerProbes probes_;
  std::map<std::string, ContainerRunPtr> runs_;  // by container
  std::map<std::string, std::string> by_id_;     // run id → container
};

}  // namespace atl::node

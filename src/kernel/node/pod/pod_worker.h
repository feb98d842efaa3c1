#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernel/node/pod/container_runs.h"
#include "kernel/node/pod/container_starter.h"
#include "kernel/node/pod/pod_access.h"
#include "kernel/node/pod/pod_context.h"
#include "kernel/node/pod/pod_plan.h"
#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_reporter.h"
#include "kernel/node/pod/pod_sandbox.h"
#include "kernel/node/pod/pod_tasks.h"
#include "kernel/node/pod/volume_upkeep.h"

namespace atl::node {

// Runs one pod from its first sight to its last: level-triggered, it compares what is wanted with
// what is, has its parts do what the plan says, and waits for news. The parts: PodRecord (what is
// known), PodTasks, PodReporter (status, events), PodSandbox (network, control group),
// VolumeUpkeep, ContainerRuns and ContainerStarter.
//
// Owned by the agent; stop() before it is destroyed. One executor. stop() leaves containers
// running. Errors never leave it: they stand in the pod's status and events, and are tried again
// with back-off.
class PodWorker {
 public:
  PodWorker(PodContext& context, PodSpecPtr spec);
  ~PodWorker();
  PodWorker(const PodWorker&) = delete;

  // Before start(): what is known from before (see PodRecord), then adopt() for each container that
  // the keeper holds for this pod (what runs is never removed), then settle_recovery().
  PodRecord& record() { return record_; }
  void adopt(LiveContainer container) { runs_.adopt(std::move(container)); }
  void settle_recovery() { runs_.settle(); }
  // The keeper holds no namespace for it any more: a new one is made.
  void lost_network() { record_.state().network_ready = false; }
  // The pod ended before this node knew it: nothing is run, only its deletion is carried out.
  void mark_over();

  void start();
  Async<void> stop();

  void update(PodSpecPtr spec);
  // The object is gone from the API (or was never there): end everything at once.
  void remove_now();
  void container_exited(const std::string& id, const ExitStatus& exit) { runs_.exited(id, exit); }

  // Everything is gone, the API object too: the agent may forget the worker.
  bool finished() const { return finished_; }
  void on_finished(std::function<void()> handler) { on_finished_ = std::move(handler); }

  const PodSpec& spec() const { return record_.spec(); }
  const PodState& state() const { return record_.state(); }
  std::vector<std::string> container_ids() const;
  std::string pod_ip() const { return record_.pod_ip(); }
  network::PodRef network_ref() const { return sandbox_.network_ref(); }
  // Whether a container of the runtime belongs to this pod's present.
  bool knows(const std::string& id) const { return runs_.knows(id); }
  // See ContainerRuns.
  Result<PodAccess> access(const std::string& container, bool previous) const {
    return runs_.access(container, previous);
  }
  Result<PodStreams> streams(const std::string& container) const {
    return runs_.streams(container);
  }
  void close_stdin(const std::string& container) { runs_.close_stdin(container); }

 private:
  Async<void> loop();
  Async<void> step();
  Duration until_next_step() const;
  PodPlan plan_now() const;
  void fail_at_deadline();
  void carry_out(const PodPlan& plan);
  Async<void> tear_down();
  Async<void> take_leave();
  Async<void> forget();
  bool passing() const;
  void tell_fault(const std::string& task, const std::string& message);

  PodContext& context_;
  PodRecord record_;
  PodTasks tasks_;
  PodReporter reporter_;
  PodSandbox sandbox_;
  VolumeUpkeep volumes_;
  ContainerRuns runs_;
  ContainerStarter starter_;
  bool finished_ = false;
  std::function<void()> on_finished_;
};

}  // namespace atl::node

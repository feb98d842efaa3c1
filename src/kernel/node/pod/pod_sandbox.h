#pragma once

#include "base/async/event.h"
#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_reporter.h"
#include "kernel/node/pod/pod_tasks.h"

namespace atl::node {

// What the containers of one pod share before the first of them exists: the network namespace,
// which the keeper holds under the pod's uid, and the pod's control group.
//
// Owned by PodWorker. One executor. Errors: a network that cannot be made is told as
// FailedCreatePodSandBox and tried again after a pause that grows to 30 s.
class PodSandbox {
 public:
  PodSandbox(PodContext& context, PodRecord& record, PodReporter& reporter, PodTasks& tasks);

  network::PodRef network_ref() const;

  // Tries once where the pause of the last failure is over.
  bool network_due() const;
  WallTime network_retry() const { return network_retry_; }
  Async<void> make_network();
  // New connections stop before the containers hear of the end: a rolling update drops no request.
  // Once; later calls return at once.
  Async<void> drain();

  // A start is near: makes the group, and begins what the kernel makes the first process of it wait
  // for. In this order: while that waits, no group can be made on the whole machine.
  void prepare_group();
  // The same wait, begun anew where it was long ago: what is over by the time that a runtime gets
  // to its move costs nothing.
  Async<void> expect_attach();
  // The pod's own group, with its limits; returns at once where it is there.
  Task<> make_group();

  // The kernel takes its time to delete a link: nobody waits for it but who forgets the pod.
  void detach_network();
  Async<void> detached();
  Async<void> remove_group();

 private:
  Task<> attach();
  Task<> make_group_anew();
  Async<void> detach();

  PodContext& context_;
  PodRecord& record_;
  PodReporter& reporter_;
  PodTasks& tasks_;
  WallTime network_retry_{};
  int network_failures_ = 0;
  bool group_made_ = false;
  bool making_group_ = false;
  Event group_done_;
  bool drained_ = false;
  bool detaching_ = false;
  Event detach_done_;
};

}  // namespace atl::node

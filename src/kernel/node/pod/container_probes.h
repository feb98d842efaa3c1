#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kernel/node/pod/container_run.h"
#include "kernel/node/pod/pod_reporter.h"
#include "kernel/node/probe/prober.h"

namespace atl::node {

// The probes of a pod's containers: they decide when a container has started, whether it is ready,
// and when it must be restarted.
//
// Owned by ContainerRuns. One executor; each probe is a task of its container's run and ends with
// it. Errors: none; a probe that fails is told as Unhealthy.
class ContainerProbes {
 public:
  // Ends a container that a probe has given up on, with the grace of that probe.
  using Condemn = std::function<void(const std::string& container, std::string reason,
                                     std::optional<Duration> grace)>;
  ContainerProbes(PodContext& context, PodRecord& record, PodReporter& reporter, PodTasks& tasks);

  void on_condemned(Condemn condemn) { condemn_ = std::move(condemn); }
  // The command runs, and its postStart hook is over.
  void begin(ContainerRun& run);

 private:
  void begin_regular(ContainerRun& run);
  void add(ContainerRun& run, ProbeKind kind);
  void verdict(ContainerRun& run, ProbeKind kind, const ProbeSpec& spec, bool healthy);

  PodContext& context_;
  PodRecord& record_;
  PodReporter& reporter_;
  PodTasks& tasks_;
  Condemn condemn_;
};

}  // namespace atl::node

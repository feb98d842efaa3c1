#pragma once

#include <string>
#include <vector>

#include "kernel/node/pod/container_planner.h"
#include "kernel/node/pod/container_runs.h"
#include "kernel/node/pod/image_puller.h"
#include "kernel/node/pod/pod_sandbox.h"
#include "kernel/node/pod/volume_upkeep.h"

namespace atl::node {

struct StarterParts {
  PodContext& context;
  PodRecord& record;
  PodReporter& reporter;
  PodTasks& tasks;
  PodSandbox& sandbox;
  VolumeUpkeep& volumes;
  ContainerRuns& runs;
};

// Takes a container from nothing to a running command: volumes, image, configuration, create,
// start. An attempt is on record before the runtime is asked for it.
//
// Owned by PodWorker. One executor; one start of a container at a time. Errors never leave it: each
// step that fails says so in the container's waiting state and an event, and sets the time of the
// next try.
class ContainerStarter {
 public:
  explicit ContainerStarter(StarterParts parts);

  Async<void> start(std::string name);

 private:
  Task<> attempt(std::string name);
  Result<> put_on_record(const std::string& name, int attempt);
  Task<> launch(ContainerSpec spec, ContainerPlan plan, std::vector<std::string> layers);
  CreateRequest request_of(const ContainerSpec& spec, const ContainerPlan& plan,
                           std::vector<std::string> layers) const;
  Task<> begin(std::string name, LiveContainer live);
  void wait_with(const std::string& name, std::string reason, std::string message, Duration pause);
  void start_failed(const std::string& name, const Error& error);

  PodContext& context_;
  PodRecord& record_;
  PodReporter& reporter_;
  PodTasks& tasks_;
  PodSandbox& sandbox_;
  VolumeUpkeep& volumes_;
  ContainerRuns& runs_;
  ImagePuller images_;
  ContainerPlanner planner_;
};

}  // namespace atl::node

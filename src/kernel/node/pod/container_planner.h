#pragma once

#include <string>
#include <vector>

#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_sandbox.h"
#include "kernel/node/pod/volume_upkeep.h"
#include "kernel/node/runtime/oci_spec.h"
#include "oci/image_store.h"

namespace atl::node {

// Turns a container of a pod and its image into what the runtime is told: environment, arguments,
// mounts, limits, security; makes the files and folders of the attempt.
//
// Owned by ContainerStarter. One executor; files are made on the pool. Errors: kInvalid with the
// sentence of a CreateContainerConfigError, what the API or the file system says.
class ContainerPlanner {
 public:
  ContainerPlanner(PodContext& context, PodRecord& record, PodSandbox& sandbox,
                   VolumeUpkeep& volumes);

  // `layers`: folders of the image's layers, top first.
  Task<ContainerPlan> plan(ContainerSpec spec, oci::Image image, std::vector<std::string> layers,
                           int attempt);

 private:
  Task<Environment> environment_of(ContainerSpec spec, oci::ImageConfig config);

  PodContext& context_;
  PodRecord& record_;
  PodSandbox& sandbox_;
  VolumeUpkeep& volumes_;
};

}  // namespace atl::node

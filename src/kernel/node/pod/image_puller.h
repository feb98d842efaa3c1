#pragma once

#include <string>
#include <vector>

#include "kernel/node/pod/pod_record.h"
#include "kernel/node/pod/pod_reporter.h"
#include "kernel/node/pod/pod_tasks.h"
#include "oci/image_store.h"

namespace atl::node {

// Gets the images of one pod's containers, with the logins of its imagePullSecrets.
//
// Owned by ContainerStarter. One executor. Errors: those of the image store; the container's
// waiting state, its back-off and the events say so already.
class ImagePuller {
 public:
  ImagePuller(PodContext& context, PodRecord& record, PodReporter& reporter, PodTasks& tasks);

  Task<oci::Image> pull(ContainerSpec spec);

 private:
  Task<std::vector<oci::Credentials>> credentials();
  void failed(const ContainerSpec& spec, const Error& error);

  PodContext& context_;
  PodRecord& record_;
  PodReporter& reporter_;
  PodTasks& tasks_;
};

}  // namespace atl::node

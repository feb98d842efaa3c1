#pragma once

#include <string>
#include <vector>

#include "kernel/node/pod/pod_worker.h"

namespace atl::node {

// How the agent's HTTP server finds pods. The agent implements it.
class PodDirectory {
 public:
  virtual ~PodDirectory() = default;
  // Null where this node has no such pod. Borrowed until the next co_await.
  virtual PodWorker* find(const std::string& ns, const std::string& name) = 0;
  virtual std::vector<PodWorker*> all() = 0;
};

}  // namespace atl::node

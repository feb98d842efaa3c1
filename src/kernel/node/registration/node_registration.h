#pragma once

#include <functional>
#include <string>

#include "api/cache/seams.h"
#include "api/client/client.h"
#include "base/async/task_group.h"
#include "kernel/node/registration/node_facts.h"

namespace atl::node {

// Keeps this machine's Node object and its Lease in the API: registers, renews the lease every 10
// s, writes the status when it changed and at least every 5 minutes. Retries for ever. Owned by the
// agent; stop() before the end.
class NodeRegistration {
 public:
  NodeRegistration(api::Client& client, api::Seams seams, oci::ImageStore& images, NodeFacts facts,
                   std::function<std::string()> trouble);
  void start();
  Async<void> stop();
  // For tests and for `atoll doctor`: the last error, empty while all is well.
  const std::string& last_error() const { return last_error_; }

 private:
  Async<void> run();
  Task<> register_node();
  Task<> renew_lease();
  Task<> write_status();

  api::Client& client_;
  api::Seams seams_;
  oci::ImageStore& images_;
  NodeFacts facts_;
  std::function<std::string()> trouble_;
  json::Value status_;  // as written last, without times
  WallTime status_at_{};
  bool registered_ = false;
  std::string last_error_;
  TaskGroup tasks_;
};

}  // namespace atl::node

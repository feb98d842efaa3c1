#pragma once

#include "api/client/client.h"
#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/async/timer.h"
#include "kernel/apiserver/auth/rbac_index.h"

namespace atl::apiserver {

// Writes into each aggregated ClusterRole the rules that it collects, so that people see them. What
// a role grants does not wait for this: RbacIndex collects by itself. Owned by main(); the Reader's
// executor; the client must be allowed to escalate. Failed writes are tried again after a second.
class RoleAggregator {
 public:
  RoleAggregator(Executor executor, Timer& timer, Reader& reader, api::Client& client,
                 const RbacIndex& index);
  void start();
  Async<void> stop();

  // One pass over all aggregated roles.
  Task<> sync();

 private:
  Async<void> run();

  Timer& timer_;
  Reader& reader_;
  api::Client& client_;
  const RbacIndex& index_;
  bool dirty_ = true;
  Event changed_;
  std::shared_ptr<void> listener_;
  TaskGroup tasks_;
};

}  // namespace atl::apiserver

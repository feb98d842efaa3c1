#pragma once

#include <set>
#include <string>

#include "api/client/client.h"
#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/async/timer.h"
#include "kernel/apiserver/admission/resource_quota.h"

namespace atl::apiserver {

// Keeps status.hard and status.used of ResourceQuotas true, for people and for tools that read
// them. Owned by main(); the Reader's executor. Writes at most twice a second for each namespace:
// quotas are enforced elsewhere, this is only their display. Lost writes are tried again a second
// later.
class QuotaReporter {
 public:
  // Everything must outlive it.
  QuotaReporter(Executor executor, Timer& timer, Reader& reader, api::Client& client,
                ResourceQuotaAdmission& quotas);
  void start();
  Async<void> stop();

 private:
  Async<void> run();
  Task<> report(std::string ns);

  Timer& timer_;
  Reader& reader_;
  api::Client& client_;
  ResourceQuotaAdmission& quotas_;
  std::set<std::string> dirty_;
  Event changed_;
  std::shared_ptr<void> listener_;
  TaskGroup tasks_;
};

}  // namespace atl::apiserver

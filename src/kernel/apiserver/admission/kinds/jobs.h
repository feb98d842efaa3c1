#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Jobs: counts that depend on each other, the generated selector and labels (unless
// manualSelector), and what may not change any more. No state.
class JobHook final : public KindHook {
 public:
  std::string_view name() const override { return "job.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

// CronJobs: the schedule, the time zone, and the template of their Jobs. No state.
class CronJobHook final : public KindHook {
 public:
  std::string_view name() const override { return "cronjob.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

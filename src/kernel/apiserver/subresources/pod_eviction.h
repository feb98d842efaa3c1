#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// pods/<name>/eviction: a deletion that PodDisruptionBudgets may refuse (kTooMany with the cause
// DisruptionBudget: try again later). An allowed disruption is taken from the budget's status
// first, so that two evictions at a time cannot both use the last one.
class PodEvictionHook final : public VirtualHook {
 public:
  std::string_view name() const override { return "pod.eviction"; }
  Task<VirtualReply> post(VirtualRequest request) override;

 private:
  Task<> take_disruption(const VirtualRequest& request, const api::ObjectPtr& budget);
};

}  // namespace atl::apiserver

#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Pods: defaults between fields, the first status, the rules, what an update may change, and how
// long a pod has to end. Keeps no state.
class PodHook final : public KindHook {
 public:
  std::string_view name() const override { return "pod.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
  // None for a pod that no node has or that has ended; otherwise what is asked, or its own grace.
  std::optional<int64_t> grace_seconds(const json::Value& object,
                                       std::optional<int64_t> asked) const override;
};

}  // namespace atl::apiserver

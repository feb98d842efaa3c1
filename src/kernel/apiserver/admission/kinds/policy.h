#pragma once

#include "kernel/apiserver/contract/hooks.h"

// Kinds that limit or steer others. No state.
namespace atl::apiserver {

// minAvailable or maxUnavailable, never both.
class DisruptionBudgetHook final : public KindHook {
 public:
  std::string_view name() const override { return "poddisruptionbudget.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

class AutoscalerHook final : public KindHook {
 public:
  std::string_view name() const override { return "horizontalpodautoscaler.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

// Limits of containers become their default limits, those their default requests.
class LimitRangeHook final : public KindHook {
 public:
  std::string_view name() const override { return "limitrange.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

class ResourceQuotaHook final : public KindHook {
 public:
  std::string_view name() const override { return "resourcequota.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Secrets: stringData becomes data; keys, size (1 MiB), what the well-known types hold; the type,
// and with `immutable` everything, never changes. No state.
class SecretHook final : public KindHook {
 public:
  std::string_view name() const override { return "secret.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

// ConfigMaps: keys, each in data or in binaryData, size (1 MiB), `immutable`. No state.
class ConfigMapHook final : public KindHook {
 public:
  std::string_view name() const override { return "configmap.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

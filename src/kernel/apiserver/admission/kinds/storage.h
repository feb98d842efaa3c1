#pragma once

#include "kernel/apiserver/contract/hooks.h"

// Volumes and their classes. No state.
namespace atl::apiserver {

// Claims: modes and size; afterwards only more size, and once the volume's name.
class ClaimHook final : public KindHook {
 public:
  std::string_view name() const override { return "persistentvolumeclaim.rules"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
};

class VolumeHook final : public KindHook {
 public:
  std::string_view name() const override { return "persistentvolume.rules"; }
  Result<> prepare(WriteContext& write) const override;
};

// Parameters, provisioner, reclaim policy and binding mode never change.
class StorageClassHook final : public KindHook {
 public:
  std::string_view name() const override { return "storageclass.rules"; }
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

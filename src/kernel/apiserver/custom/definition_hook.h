#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Rules of CustomResourceDefinitions that their schema cannot say: names that fit together, one
// stored version, structural schemas, what may not change, and the finalizer of a deletion.
class DefinitionHook final : public KindHook {
 public:
  std::string_view name() const override { return "customresourcedefinition"; }
  Result<> prepare(WriteContext& write) const override;
  api::Findings validate(const WriteContext& write) const override;
  bool holds_deletion(json::Value& object) const override;
};

}  // namespace atl::apiserver

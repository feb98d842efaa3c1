#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// pods/<name>/binding, and bindings: the scheduler's decision. Sets spec.nodeName once and for all,
// and the condition PodScheduled. kConflict where the pod has a node, is being deleted or is still
// gated.
class PodBindingHook final : public VirtualHook {
 public:
  std::string_view name() const override { return "pod.binding"; }
  Task<VirtualReply> post(VirtualRequest request) override;
};

}  // namespace atl::apiserver

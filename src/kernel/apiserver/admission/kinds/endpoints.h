#pragma once

#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Addresses that Services may lead to: real ones of the type that the object names, and none by
// which a Service would reach the node itself or its neighbours on the link. The API's own writer
// is free to name the link-local address that pods reach the API at. What an update leaves as it
// was is not judged again. No state.
class EndpointSliceHook final : public KindHook {
 public:
  std::string_view name() const override { return "endpoint_slice.addresses"; }
  api::Findings validate(const WriteContext& write) const override;
};

class EndpointsHook final : public KindHook {
 public:
  std::string_view name() const override { return "endpoints.addresses"; }
  api::Findings validate(const WriteContext& write) const override;
};

}  // namespace atl::apiserver

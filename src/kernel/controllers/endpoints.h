#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/service_pods.h"

namespace atl::controllers {

inline constexpr size_t kEndpointsMax =
    1000;  // addresses in one Endpoints; more are in slices only

// The subsets of a Service's Endpoints: addresses grouped by ports, sorted. Pure.
struct EndpointSubsets {
  json::Array subsets;
  bool truncated = false;
};
EndpointSubsets subsets_of(const json::Value& service, const std::vector<EndpointPod>& pods);

// Keeps the Endpoints of each Service with a selector equal to its pods: the older form of
// EndpointSlice. Watches Service, Pod, Endpoints. Writes Endpoints of the Service's name; deletes
// them with it.
class EndpointsController final : public api::Reconciler {
 public:
  explicit EndpointsController(Deps deps);
  std::string_view name() const override { return "endpoint-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Task<> remove(api::ObjectKey key);

  Deps deps_;
  api::Informer& services_;
  api::Informer& pods_;
  api::Informer& endpoints_;
  std::unique_ptr<ServiceIndex> index_;
};

}  // namespace atl::controllers

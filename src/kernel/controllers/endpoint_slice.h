#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/own_writes.h"
#include "kernel/controllers/service_pods.h"

namespace atl::controllers {

inline constexpr size_t kSliceMax = 100;  // endpoints in one slice

// Endpoints that share ports, in one address family.
struct EndpointGroup {
  std::string family;  // "IPv4", "IPv6"
  json::Array ports;
  std::map<std::string, json::Value> endpoints;  // by pod uid
};

// What a Service's slices should hold between them: one group for each set of ports that its pods
// have; an empty one for each family without any. `zones`: by node name.
std::vector<EndpointGroup> desired_groups(const json::Value& service,
                                          const std::vector<EndpointPod>& pods,
                                          const std::map<std::string, std::string>& zones);

// A slice as it stands.
struct SliceView {
  std::string name;
  std::string family;
  json::Array ports;
  json::Array endpoints;
};
struct SlicePlan {
  std::vector<SliceView> update;
  std::vector<SliceView> create;  // without names
  std::vector<std::string> remove;
};
// The fewest writes that get there: slices keep what is right, take what fits, and a slice that is
// left empty goes.
SlicePlan plan(const std::vector<EndpointGroup>& groups, const std::vector<SliceView>& slices);

// Keeps the EndpointSlices of each Service with a selector equal to its pods.
// Watches Service, Pod, EndpointSlice (its own), Node (zones). Writes EndpointSlice; owns them by
// reference and by the label endpointslice.kubernetes.io/managed-by. Event:
// FailedToUpdateEndpointSlices.
class EndpointSliceController final : public api::Reconciler {
 public:
  explicit EndpointSliceController(Deps deps);
  std::string_view name() const override { return "endpointslice-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  std::vector<api::ObjectPtr> slices_of(const api::Object& service) const;
  std::map<std::string, std::string> zones() const;
  Task<> carry_out(api::ObjectPtr service, SlicePlan todo);
  // Labels or annotations of a slice that follow the Service.
  json::Object wanted_labels(const api::Object& service, const json::Value& document) const;
  Task<> refresh_labels(api::ObjectPtr service, json::Value document);

  Deps deps_;
  api::Informer& services_;
  api::Informer& pods_;
  api::Informer& slices_;
  api::Informer& nodes_;
  std::unique_ptr<ServiceIndex> index_;
  OwnWrites writes_;
};

}  // namespace atl::controllers

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/controllers/kind_source.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {

// Discovery for tests: the kinds that the fake API is used with; custom ones may come and go.
class FakeKinds final : public KindSource {
 public:
  FakeKinds() {
    put(kPods, "Pod", true);
    put(kConfigMaps, "ConfigMap", true);
    put(kSecrets, "Secret", true);
    put(kServices, "Service", true);
    put(kEndpoints, "Endpoints", true);
    put(kServiceAccounts, "ServiceAccount", true);
    put({"", "v1", "events"}, "Event", true);
    put(kNodes, "Node", false);
    put(kNamespaces, "Namespace", false);
    put(kReplicaSets, "ReplicaSet", true);
    put(kDeployments, "Deployment", true);
    put(kEndpointSlices, "EndpointSlice", true);
    put(kStatefulSets, "StatefulSet", true);
    put(kControllerRevisions, "ControllerRevision", true);
    put(kDaemonSets, "DaemonSet", true);
    put(kJobs, "Job", true);
  }
  void put(api::Gvr gvr, std::string kind, bool namespaced, bool custom = false) {
    all_.push_back({gvr,
                    {gvr.group, gvr.version, std::move(kind)},
                    namespaced,
                    custom,
                    {"delete", "get", "list", "watch"}});
    ++generation_;
  }
  void remove(const api::Gvr& gvr) {
    std::erase_if(all_, [&](const Collection& c) { return c.gvr == gvr; });
    ++generation_;
  }
  std::vector<Collection> collections() const override { return all_; }
  std::optional<Collection> find(const api::Gvk& kind) const override {
    for (const Collection& c : all_) {
      if (c.gvk.group == kind.group && c.gvk.kind == kind.kind) return c;
    }
    return std::nullopt;
  }
  uint64_t generation() const override { return generation_; }

 private:
  std::vector<Collection> all_;
  uint64_t generation_ = 1;
};

}  // namespace atl::controllers

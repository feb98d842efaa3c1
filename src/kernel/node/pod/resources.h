#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text/json.h"
#include "base/text/quantity.h"
#include "kernel/node/pod/pod_spec.h"

// Requests and limits in the kernel's units.
namespace atl::node {

// A quantity that stands as text or as a number; nothing where missing or malformed.
std::optional<Quantity> quantity_at(const json::Value& root, json::Path path);

struct ContainerResources {
  uint64_t cpu_shares = 2;              // 2…262144, from the request
  std::optional<int64_t> cpu_quota_us;  // per period, from the limit
  uint64_t cpu_period_us = 100'000;
  std::optional<int64_t> memory_limit;  // bytes
  int64_t memory_request = 0;
};
ContainerResources resources_of(const json::Value& container);

// What a pod's containers may take together, for the pod's own group: as kubelets count it
// (ResourceConfigForPod), the most that is needed at any time. Containers run side by side; an init
// container runs alone, beside the sidecars before it. A limit stands only where every container
// has one; the pod's overhead comes on top.
struct PodResources {
  uint64_t cpu_shares = 2;
  std::optional<int64_t> cpu_quota_us;
  uint64_t cpu_period_us = 100'000;
  std::optional<int64_t> memory_limit;
};
PodResources pod_resources(const PodSpec& pod);

// "Guaranteed", "Burstable", "BestEffort".
std::string_view qos_class(const PodSpec& pod);

// -997 for guaranteed pods, 1000 for best effort, between by the share of memory asked for.
int oom_score_adjustment(const PodSpec& pod, const ContainerResources& container,
                         int64_t node_memory_bytes);

}  // namespace atl::node

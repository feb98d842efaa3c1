#include "kernel/scheduler/score.h"

#include <algorithm>
#include <cmath>

#include "kernel/scheduler/fit.h"

namespace atl::scheduler {
namespace {

constexpr int64_t kMost = 100;
constexpr int64_t kMiB = 1024 * 1024;

// The share of a resource that is used once the pod is there; 1 where the node has none.
double used_share(int64_t used, int64_t allocatable) {
  return allocatable <= 0 ? 1.0 : std::min(1.0, double(used) / double(allocatable));
}

struct Shares {
  double cpu, memory;
};
Shares shares(const PodInfo& pod, const NodeInfo& node) {
  return {
      used_share(node.cpu_for_score + pod.cpu_for_score, amount(node.allocatable, "cpu")),
      used_share(node.memory_for_score + pod.memory_for_score, amount(node.allocatable, "memory"))};
}

int64_t least_allocated(const PodInfo& pod, const NodeInfo& node) {
  const Shares s = shares(pod, node);
  return int64_t((1 - s.cpu + 1 - s.memory) / 2 * double(kMost));
}

int64_t balance(const PodInfo& pod, const NodeInfo& node) {
  const Shares s = shares(pod, node);
  return int64_t((1 - std::fabs(s.cpu - s.memory) / 2) * double(kMost));
}

int64_t preferred(const PodInfo& pod, const NodeInfo& node) {
  int64_t sum = 0;
  for (const WeightedNodeTerm& wish : pod.preferred_nodes) {
    if (matches(wish.term, node)) sum += wish.weight;
  }
  return sum;
}

int64_t soft_taints(const PodInfo& pod, const NodeInfo& node) {
  return std::count_if(node.taints.begin(), node.taints.end(), [&](const Taint& taint) {
    return taint.effect == "PreferNoSchedule" &&
           std::none_of(pod.tolerations.begin(), pod.tolerations.end(),
                        [&](const Toleration& t) { return t.tolerates(taint); });
  });
}

std::string with_tag(const std::string& image) {
  return image.find(':', image.rfind('/') == std::string::npos ? 0 : image.rfind('/')) ==
                 std::string::npos
             ? image + ":latest"
             : image;
}

// Bytes of the pod's images that are there, between 23 MiB and 1000 MiB for each container.
int64_t images_there(const PodInfo& pod, const NodeInfo& node) {
  int64_t bytes = 0;
  for (const std::string& image : pod.images) {
    const auto it = node.images.find(with_tag(image));
    if (it != node.images.end()) bytes += it->second;
  }
  const int64_t low = 23 * kMiB,
                high = 1000 * kMiB * int64_t(std::max<size_t>(1, pod.images.size()));
  return kMost * (std::clamp(bytes, low, high) - low) / (high - low);
}

enum class Better : uint8_t { kHigh, kLow };
// Stretches raw values to 0..100 over all nodes, times the weight, onto the totals.
void add_normalised(std::vector<int64_t>& totals, const std::vector<int64_t>& raw, int64_t weight,
                    Better better) {
  const auto [low, high] = std::minmax_element(raw.begin(), raw.end());
  const int64_t span = *high - *low;
  for (size_t i = 0; i < raw.size(); ++i) {
    const int64_t above = span == 0 ? 0 : kMost * (raw[i] - *low) / span;
    totals[i] += weight * (better == Better::kHigh ? above : kMost - above);
  }
}

}  // namespace

std::vector<int64_t> score(const PodInfo& pod, const std::vector<const NodeInfo*>& nodes,
                           const Relations& relations, size_t all_nodes) {
  std::vector<int64_t> totals(nodes.size());
  if (nodes.empty()) return totals;
  std::vector<int64_t> wishes, taints, pods, crowd;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const NodeInfo& node = *nodes[i];
    totals[i] = least_allocated(pod, node) + balance(pod, node);
    // Alone, the only node is right anyway.
    if (all_nodes > 1) totals[i] += images_there(pod, node);
    wishes.push_back(preferred(pod, node));
    taints.push_back(soft_taints(pod, node));
    pods.push_back(relations.affinity_score(node));
    crowd.push_back(relations.crowding(node));
  }
  add_normalised(totals, taints, 3, Better::kLow);
  add_normalised(totals, wishes, 2, Better::kHigh);
  add_normalised(totals, pods, 2, Better::kHigh);
  if (relations.has_soft_spread()) add_normalised(totals, crowd, 2, Better::kLow);
  return totals;
}

}  // namespace atl::scheduler

#include "kernel/scheduler/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kernel/scheduler/fit.h"
#include "kernel/scheduler/relations.h"
#include "kernel/scheduler/score.h"

namespace atl::scheduler {
namespace {

std::string sentence(size_t nodes, const std::map<std::string, int>& reasons) {
  if (nodes == 0) return "no nodes available to schedule pods";
  std::vector<std::string> parts;
  for (const auto& [reason, count] : reasons) parts.push_back(fmt::format("{} {}", count, reason));
  std::sort(parts.begin(), parts.end());
  return fmt::format("0/{} nodes are available: {}.", nodes, fmt::join(parts, ", "));
}

}  // namespace

Decision decide(const PodInfo& pod, const ClusterState& cluster, Rng& rng) {
  const Relations relations(pod, cluster);
  std::map<std::string, int> reasons;
  std::vector<const NodeInfo*> fitting;
  for (const auto& [name, node] : cluster.nodes()) {
    if (!node.known) continue;
    std::vector<std::string> against = fit(pod, node);
    if (against.empty()) against = relations.against(node);
    for (const std::string& reason : against) ++reasons[reason];
    if (against.empty()) fitting.push_back(&node);
  }
  const size_t nodes = cluster.node_count();
  if (fitting.empty()) return {"", sentence(nodes, reasons)};
  if (fitting.size() == 1) return {fitting[0]->name, ""};

  const std::vector<int64_t> scores = score(pod, fitting, relations, nodes);
  const int64_t best = *std::max_element(scores.begin(), scores.end());
  std::vector<const NodeInfo*> winners;
  for (size_t i = 0; i < fitting.size(); ++i) {
    if (scores[i] == best) winners.push_back(fitting[i]);
  }
  return {winners[rng.below(winners.size())]->name, ""};
}

}  // namespace atl::scheduler

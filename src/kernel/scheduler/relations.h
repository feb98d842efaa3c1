#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernel/scheduler/cluster_state.h"

namespace atl::scheduler {

// Where one pod may go relative to the pods that are placed: (anti-)affinity and topology spread.
// Counts once over the whole cluster, then answers for each node. Lives for one decision.
class Relations {
 public:
  Relations(const PodInfo& pod, const ClusterState& cluster);

  // Empty: nothing against it.
  std::vector<std::string> against(const NodeInfo& node) const;
  // Higher is better; not normalised.
  int64_t affinity_score(const NodeInfo& node) const;
  // Lower is better; not normalised.
  int64_t crowding(const NodeInfo& node) const;
  bool has_soft_spread() const;

 private:
  using Domain = std::pair<std::string, std::string>;  // topology key, value
  void count_affinity();
  void count_existing(const PodInfo& other, const NodeInfo& node);
  void count_spread();
  bool allowed_by_affinity(const NodeInfo& node) const;
  bool allowed_by_spread(const Spread& spread, size_t index, const NodeInfo& node) const;

  const PodInfo& pod_;
  const ClusterState& cluster_;
  std::map<Domain, int64_t> affine_;     // pods that match all required affinity terms
  std::map<Domain, int64_t> averse_;     // pods that match a required anti-affinity term
  std::map<Domain, int64_t> kept_away_;  // domains that placed pods keep this one from
  std::map<Domain, int64_t> wishes_;     // summed weights of preferred terms, both ways
  std::vector<std::map<std::string, int64_t>> spread_;  // by constraint: pods in each domain
};

// Whether `other` is meant by a term of `pod`.
bool selects(const PodTerm& term, const PodInfo& other, const ClusterState& cluster);

}  // namespace atl::scheduler

#include "kernel/scheduler/relations.h"

#include <algorithm>

#include "kernel/scheduler/fit.h"

namespace atl::scheduler {
namespace {

// A pod that is wanted near others counts for them too, as if it had asked for them.
constexpr int64_t kHardAffinityWeight = 1;

}  // namespace

bool selects(const PodTerm& term, const PodInfo& other, const ClusterState& cluster) {
  const bool named = std::find(term.namespaces.begin(), term.namespaces.end(), other.ns()) !=
                     term.namespaces.end();
  const bool chosen =
      named || (term.namespace_selector &&
                (term.namespace_selector->everything() ||
                 term.namespace_selector->matches(cluster.namespace_labels(other.ns()))));
  return chosen && term.selector.matches(other.labels());
}

Relations::Relations(const PodInfo& pod, const ClusterState& cluster)
    : pod_(pod), cluster_(cluster) {
  const bool asks = !pod.affinity.empty() || !pod.anti_affinity.empty();
  if (asks || cluster.anti_affinity_pods() > 0) count_affinity();
  if (!pod.spread.empty()) count_spread();
}

void Relations::count_affinity() {
  for (const auto& [name, node] : cluster_.nodes()) {
    if (!node.known) continue;
    for (const auto& [uid, other] : node.pods) count_existing(*other, node);
  }
}

void Relations::count_existing(const PodInfo& other, const NodeInfo& node) {
  const auto add = [&](std::map<Domain, int64_t>& into, const PodTerm& term, int64_t by) {
    if (const std::string* value = node.label(term.topology_key))
      into[{term.topology_key, *value}] += by;
  };
  const auto required_match = [&](const PodTerm& term) {
    return term.weight > 0 || selects(term, other, cluster_);
  };
  if (pod_.has_required(pod_.affinity) &&
      std::all_of(pod_.affinity.begin(), pod_.affinity.end(), required_match)) {
    for (const PodTerm& term : pod_.affinity) {
      if (term.weight == 0) add(affine_, term, 1);
    }
  }
  for (const PodTerm& term : pod_.affinity) {
    if (term.weight > 0 && selects(term, other, cluster_)) add(wishes_, term, term.weight);
  }
  for (const PodTerm& term : pod_.anti_affinity) {
    if (!selects(term, other, cluster_)) continue;
    if (term.weight == 0)
      add(averse_, term, 1);
    else
      add(wishes_, term, -term.weight);
  }
  for (const PodTerm& term : other.anti_affinity) {
    if (!selects(term, pod_, cluster_)) continue;
    if (term.weight == 0)
      add(kept_away_, term, 1);
    else
      add(wishes_, term, -term.weight);
  }
  for (const PodTerm& term : other.affinity) {
    if (selects(term, pod_, cluster_))
      add(wishes_, term, term.weight == 0 ? kHardAffinityWeight : term.weight);
  }
}

void Relations::count_spread() {
  spread_.resize(pod_.spread.size());
  for (size_t i = 0; i < pod_.spread.size(); ++i) {
    const Spread& spread = pod_.spread[i];
    for (const auto& [name, node] : cluster_.nodes()) {
      const std::string* value = node.label(spread.topology_key);
      if (!node.known || !value) continue;
      if (spread.honor_affinity && !matches_node_affinity(pod_, node)) continue;
      if (spread.honor_taints && untolerated(pod_, node)) continue;
      int64_t& count = spread_[i][*value];
      for (const auto& [uid, other] : node.pods) {
        count += !other->deleting && other->ns() == pod_.ns() &&
                 spread.selector.matches(other->labels());
      }
    }
  }
}

bool Relations::allowed_by_affinity(const NodeInfo& node) const {
  bool all = true, none_anywhere = affine_.empty(), self = true;
  for (const PodTerm& term : pod_.affinity) {
    if (term.weight > 0) continue;
    const std::string* value = node.label(term.topology_key);
    if (!value) return false;
    all = all && affine_.contains({term.topology_key, *value});
    self = self && selects(term, pod_, cluster_);
  }
  // The first of a group that wants to be with its own kind may start anywhere.
  return all || (none_anywhere && self);
}

bool Relations::allowed_by_spread(const Spread& spread, size_t index, const NodeInfo& node) const {
  const std::map<std::string, int64_t>& domains = spread_[index];
  int64_t least = domains.empty() ? 0 : INT64_MAX;
  for (const auto& [value, count] : domains) least = std::min(least, count);
  if (int64_t(domains.size()) < spread.min_domains) least = 0;
  const auto here = domains.find(*node.label(spread.topology_key));
  const int64_t count = here == domains.end() ? 0 : here->second;
  const int64_t self = spread.selector.matches(pod_.labels()) ? 1 : 0;
  return count + self - least <= spread.max_skew;
}

std::vector<std::string> Relations::against(const NodeInfo& node) const {
  for (size_t i = 0; i < pod_.spread.size(); ++i) {
    const Spread& spread = pod_.spread[i];
    if (!spread.hard) continue;
    if (!node.label(spread.topology_key)) {
      return {"node(s) didn't match pod topology spread constraints (missing required label)"};
    }
    if (!allowed_by_spread(spread, i, node))
      return {"node(s) didn't match pod topology spread constraints"};
  }
  if (pod_.has_required(pod_.affinity) && !allowed_by_affinity(node))
    return {"node(s) didn't match pod affinity rules"};
  for (const PodTerm& term : pod_.anti_affinity) {
    const std::string* value = node.label(term.topology_key);
    if (term.weight == 0 && value && averse_.contains({term.topology_key, *value})) {
      return {"node(s) didn't match pod anti-affinity rules"};
    }
  }
  for (const auto& [domain, count] : kept_away_) {
    const std::string* value = node.label(domain.first);
    if (value && *value == domain.second)
      return {"node(s) didn't satisfy existing pods anti-affinity rules"};
  }
  return {};
}

int64_t Relations::affinity_score(const NodeInfo& node) const {
  int64_t score = 0;
  for (const auto& [domain, weight] : wishes_) {
    const std::string* value = node.label(domain.first);
    if (value && *value == domain.second) score += weight;
  }
  return score;
}

bool Relations::has_soft_spread() const {
  return std::any_of(pod_.spread.begin(), pod_.spread.end(),
                     [](const Spread& spread) { return !spread.hard; });
}

int64_t Relations::crowding(const NodeInfo& node) const {
  int64_t crowd = 0;
  for (size_t i = 0; i < pod_.spread.size(); ++i) {
    if (pod_.spread[i].hard) continue;
    const std::string* value = node.label(pod_.spread[i].topology_key);
    if (!value) {
      crowd += int64_t(node.pods.size()) + 1'000'000;  // outside every domain: last
      continue;
    }
    const auto here = spread_[i].find(*value);
    crowd += here == spread_[i].end() ? 0 : here->second;
  }
  return crowd;
}

}  // namespace atl::scheduler

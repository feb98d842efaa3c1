#include "kernel/scheduler/fit.h"

#include <algorithm>

namespace atl::scheduler {
namespace {

const Taint kUnschedulableTaint{"node.kubernetes.io/unschedulable", "", "NoSchedule"};

bool tolerates(const PodInfo& pod, const Taint& taint) {
  return std::any_of(pod.tolerations.begin(), pod.tolerations.end(),
                     [&](const Toleration& toleration) { return toleration.tolerates(taint); });
}

bool ports_free(const PodInfo& pod, const NodeInfo& node) {
  if (pod.ports.empty()) return true;
  for (const auto& [uid, other] : node.pods) {
    for (const HostPort& taken : other->ports) {
      for (const HostPort& wanted : pod.ports) {
        if (wanted.clashes(taken)) return false;
      }
    }
  }
  return true;
}

std::vector<std::string> missing_resources(const PodInfo& pod, const NodeInfo& node) {
  std::vector<std::string> reasons;
  if (int64_t(node.pods.size()) + 1 > amount(node.allocatable, "pods"))
    reasons.emplace_back("Too many pods");
  for (const auto& [resource, wanted] : pod.requests) {
    if (wanted > 0 && wanted > amount(node.allocatable, resource) - amount(node.used, resource)) {
      reasons.push_back("Insufficient " + resource);
    }
  }
  return reasons;
}

}  // namespace

const Taint* untolerated(const PodInfo& pod, const NodeInfo& node) {
  for (const Taint& taint : node.taints) {
    if (taint.effect != "PreferNoSchedule" && !tolerates(pod, taint)) return &taint;
  }
  return nullptr;
}

bool matches(const NodeTerm& term, const NodeInfo& node) {
  // A term without requirements matches nothing.
  if (term.labels.empty() && term.fields.empty()) return false;
  const bool labels =
      std::all_of(term.labels.begin(), term.labels.end(),
                  [&](const Requirement& r) { return r.matches(node.label(r.key)); });
  return labels && std::all_of(term.fields.begin(), term.fields.end(), [&](const Requirement& r) {
           return r.matches(r.key == "metadata.name" ? &node.name : nullptr);
         });
}

bool matches_node_affinity(const PodInfo& pod, const NodeInfo& node) {
  for (const auto& [key, value] : pod.node_selector) {
    const std::string* have = node.label(key);
    if (!have || *have != value) return false;
  }
  if (!pod.node_affinity) return true;
  return std::any_of(pod.node_affinity->begin(), pod.node_affinity->end(),
                     [&](const NodeTerm& term) { return matches(term, node); });
}

std::vector<std::string> fit(const PodInfo& pod, const NodeInfo& node) {
  if (node.unschedulable && !tolerates(pod, kUnschedulableTaint))
    return {"node(s) were unschedulable"};
  if (!pod.node.empty() && pod.node != node.name)
    return {"node(s) didn't match the requested node name"};
  if (untolerated(pod, node)) return {"node(s) had untolerated taint(s)"};
  if (!matches_node_affinity(pod, node))
    return {"node(s) didn't match Pod's node affinity/selector"};
  if (!ports_free(pod, node)) return {"node(s) didn't have free ports for the requested pod ports"};
  return missing_resources(pod, node);
}

}  // namespace atl::scheduler

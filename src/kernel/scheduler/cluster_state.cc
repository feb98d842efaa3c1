#include "kernel/scheduler/cluster_state.h"

#include <algorithm>

namespace atl::scheduler {
namespace {

NodeInfo read_node(const api::Object& object) {
  const json::Value document = object.parse();
  NodeInfo node;
  node.name = object.name();
  node.known = true;
  node.unschedulable = json::bool_at(document, {"spec", "unschedulable"});
  for (const auto& [key, value] : object.header().labels) node.labels.emplace(key, value);
  for (const json::Value& taint : json::array_at(document, {"spec", "taints"})) {
    node.taints.push_back({std::string(json::string_at(taint, {"key"})),
                           std::string(json::string_at(taint, {"value"})),
                           std::string(json::string_at(taint, {"effect"}))});
  }
  node.allocatable = amounts_of(json::object_at(document, {"status", "allocatable"}));
  for (const json::Value& image : json::array_at(document, {"status", "images"})) {
    for (const json::Value& name : json::array_at(image, {"names"})) {
      if (name.is_string())
        node.images.emplace(name.get_string(), json::int_at(image, {"sizeBytes"}));
    }
  }
  json::Object identity{{"labels", json::object_at(document, {"metadata", "labels"})},
                        {"spec", json::object_at(document, {"spec"})},
                        {"allocatable", json::object_at(document, {"status", "allocatable"})}};
  node.identity = json::serialize(identity);
  return node;
}

}  // namespace

const std::string* NodeInfo::label(std::string_view key) const {
  const auto it = labels.find(key);
  return it == labels.end() ? nullptr : &it->second;
}

bool ClusterState::set_node(const api::Object& object) {
  NodeInfo fresh = read_node(object);
  NodeInfo& node = nodes_[fresh.name];
  const bool changed = fresh.identity != node.identity;
  fresh.pods = std::move(node.pods);
  fresh.used = std::move(node.used);
  fresh.cpu_for_score = node.cpu_for_score;
  fresh.memory_for_score = node.memory_for_score;
  node = std::move(fresh);
  return changed;
}

void ClusterState::remove_node(const std::string& name) {
  const auto it = nodes_.find(name);
  if (it == nodes_.end()) return;
  if (it->second.pods.empty()) {
    nodes_.erase(it);
    return;
  }
  it->second.known = false;
  it->second.identity.clear();
}

void ClusterState::set_pod(const PodPtr& pod) {
  remove_pod(pod->uid());
  if (!pod->node.empty() && !pod->finished) place(pod, pod->node);
}

void ClusterState::assume(const PodPtr& pod, const std::string& node) {
  remove_pod(pod->uid());
  place(pod, node);
  assumed_[pod->uid()] = node;
}

void ClusterState::place(const PodPtr& pod, const std::string& name) {
  NodeInfo& node = nodes_[name];
  node.name = name;
  node.pods[pod->uid()] = pod;
  for (const auto& [resource, value] : pod->requests) node.used[resource] += value;
  node.cpu_for_score += pod->cpu_for_score;
  node.memory_for_score += pod->memory_for_score;
  where_[pod->uid()] = name;
  anti_affinity_pods_ += pod->has_required(pod->anti_affinity);
}

bool ClusterState::remove_pod(const std::string& uid) {
  assumed_.erase(uid);
  const auto at = where_.find(uid);
  if (at == where_.end()) return false;
  NodeInfo& node = nodes_.at(at->second);
  const PodPtr pod = node.pods.at(uid);
  for (const auto& [resource, value] : pod->requests) node.used[resource] -= value;
  node.cpu_for_score -= pod->cpu_for_score;
  node.memory_for_score -= pod->memory_for_score;
  node.pods.erase(uid);
  anti_affinity_pods_ -= pod->has_required(pod->anti_affinity);
  if (!node.known && node.pods.empty()) nodes_.erase(at->second);
  where_.erase(at);
  return true;
}

size_t ClusterState::node_count() const {
  return size_t(std::count_if(nodes_.begin(), nodes_.end(),
                              [](const auto& entry) { return entry.second.known; }));
}

api::Labels ClusterState::namespace_labels(const std::string& ns) const {
  return namespace_labels_ ? namespace_labels_(ns) : api::Labels();
}

}  // namespace atl::scheduler

#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernel/scheduler/pod_info.h"

namespace atl::scheduler {

// A node and what is placed on it. Value type inside ClusterState.
struct NodeInfo {
  std::string name;
  bool known = false;  // false: pods name it, and there is no such Node
  bool unschedulable = false;
  std::map<std::string, std::string, std::less<>> labels;
  std::vector<Taint> taints;
  Amounts allocatable;
  std::map<std::string, int64_t> images;  // size in bytes by any of its names
  std::string identity;                   // all of the above as text: tells a change that matters

  std::map<std::string, PodPtr> pods;  // by uid
  Amounts used;
  int64_t cpu_for_score = 0;
  int64_t memory_for_score = 0;

  const std::string* label(std::string_view key) const;
};

// Nodes with their pods, pods placed by us included before the API shows them. One executor.
class ClusterState {
 public:
  // True if something changed that could let a waiting pod in.
  bool set_node(const api::Object& node);
  void remove_node(const std::string& name);
  // A pod on a node, new or changed.
  void set_pod(const PodPtr& pod);
  // True if it was there.
  bool remove_pod(const std::string& uid);
  // A pod that we decided to place there; stays until set_pod or remove_pod of the same uid.
  void assume(const PodPtr& pod, const std::string& node);
  bool assumed(const std::string& uid) const { return assumed_.contains(uid); }

  const std::map<std::string, NodeInfo>& nodes() const { return nodes_; }
  // Known ones only.
  size_t node_count() const;
  // Pods that keep others away: without any, a whole check is skipped.
  size_t anti_affinity_pods() const { return anti_affinity_pods_; }

  void set_namespace_labels(std::function<api::Labels(const std::string&)> labels) {
    namespace_labels_ = std::move(labels);
  }
  api::Labels namespace_labels(const std::string& ns) const;

 private:
  void place(const PodPtr& pod, const std::string& node);

  std::map<std::string, NodeInfo> nodes_;
  std::map<std::string, std::string> where_;    // node by pod uid
  std::map<std::string, std::string> assumed_;  // node by pod uid
  std::function<api::Labels(const std::string&)> namespace_labels_;
  size_t anti_affinity_pods_ = 0;
};

}  // namespace atl::scheduler

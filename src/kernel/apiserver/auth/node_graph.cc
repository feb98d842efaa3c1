#include "kernel/apiserver/auth/node_graph.h"

#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

using Sort = NodeGraph::Sort;

// Collects names within one namespace.
class Collector {
 public:
  explicit Collector(std::string_view ns) : ns_(ns) {}
  void add(Sort sort, std::string_view name) {
    if (!name.empty()) found_.insert({sort, {std::string(ns_), std::string(name)}});
  }
  void add(Sort sort, const json::Value& from, json::Path path) {
    add(sort, json::string_at(from, path));
  }
  NodeGraph::References take() { return std::move(found_); }

 private:
  std::string_view ns_;
  NodeGraph::References found_;
};

void add_environment(Collector& into, const json::Value& container) {
  for (const json::Value& variable : json::array_at(container, {"env"})) {
    into.add(Sort::kSecret, variable, {"valueFrom", "secretKeyRef", "name"});
    into.add(Sort::kConfigMap, variable, {"valueFrom", "configMapKeyRef", "name"});
  }
  for (const json::Value& source : json::array_at(container, {"envFrom"})) {
    into.add(Sort::kSecret, source, {"secretRef", "name"});
    into.add(Sort::kConfigMap, source, {"configMapRef", "name"});
  }
}

void add_volume(Collector& into, const json::Value& volume, std::string_view pod) {
  into.add(Sort::kSecret, volume, {"secret", "secretName"});
  into.add(Sort::kConfigMap, volume, {"configMap", "name"});
  into.add(Sort::kVolumeClaim, volume, {"persistentVolumeClaim", "claimName"});
  if (json::find(volume, {"ephemeral"}) != nullptr) {
    into.add(Sort::kVolumeClaim,
             std::string(pod) + "-" + std::string(json::string_at(volume, {"name"})));
  }
  for (const json::Value& source : json::array_at(volume, {"projected", "sources"})) {
    into.add(Sort::kSecret, source, {"secret", "name"});
    into.add(Sort::kConfigMap, source, {"configMap", "name"});
  }
  // Drivers that read a password of the pod's namespace.
  into.add(Sort::kSecret, volume, {"azureFile", "secretName"});
  into.add(Sort::kSecret, volume, {"csi", "nodePublishSecretRef", "name"});
  for (const std::string_view driver :
       {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"}) {
    into.add(Sort::kSecret, volume, {driver, "secretRef", "name"});
  }
}

}  // namespace

NodeGraph::References references_of(const json::Value& pod) {
  if (is_mirror_pod(pod)) return {};
  Collector out(json::string_at(pod, {"metadata", "namespace"}));
  out.add(Sort::kServiceAccount, pod, {"spec", "serviceAccountName"});
  for (const json::Value& secret : json::array_at(pod, {"spec", "imagePullSecrets"})) {
    out.add(Sort::kSecret, secret, {"name"});
  }
  if (const json::Value* spec = json::find(pod, {"spec"})) {
    each_container(*spec, "spec", [&](const json::Value& container, const std::string&) {
      add_environment(out, container);
    });
  }
  const std::string_view name = json::string_at(pod, {"metadata", "name"});
  for (const json::Value& volume : json::array_at(pod, {"spec", "volumes"})) {
    add_volume(out, volume, name);
  }
  return out.take();
}

NodeGraph::NodeGraph(Reader& reader) {
  listener_ = reader.listen(
      "", "pods",
      [this](const api::ObjectPtr& now, const api::ObjectPtr& before) { change(now, before); });
  reader.each("", "pods", "", [&](const api::ObjectPtr& pod) {
    change(pod, nullptr);
    return true;
  });
}

void NodeGraph::change(const api::ObjectPtr& now, const api::ObjectPtr& before) {
  if (!now) {
    if (before) forget(before->key());
    return;
  }
  const api::Header& header = now->header();
  const auto known = pods_.find(header.key);
  // Only a binding changes the node, and it does so once.
  if (known != pods_.end() && !known->second.node.empty() && header.generation != 0 &&
      known->second.uid == header.uid && known->second.generation == header.generation) {
    return;
  }
  forget(header.key);
  const json::Value document = now->parse();
  Pod pod{.uid = header.uid,
          .generation = header.generation,
          .node = std::string(json::string_at(document, {"spec", "nodeName"}))};
  if (pod.node.empty()) return;
  pod.refers_to = references_of(document);
  pod.refers_to.insert({Sort::kPod, header.key});
  for (const Reference& reference : pod.refers_to) ++users_[reference][pod.node];
  pods_.emplace(header.key, std::move(pod));
}

void NodeGraph::forget(const api::ObjectKey& key) {
  const auto pod = pods_.find(key);
  if (pod == pods_.end()) return;
  for (const Reference& reference : pod->second.refers_to) {
    const auto users = users_.find(reference);
    const auto count = users->second.find(pod->second.node);
    if (--count->second == 0) users->second.erase(count);
    if (users->second.empty()) users_.erase(users);
  }
  pods_.erase(pod);
}

bool NodeGraph::uses(std::string_view node, Sort sort, const api::ObjectKey& key) const {
  const auto users = users_.find({sort, key});
  return users != users_.end() && users->second.contains(node);
}

}  // namespace atl::apiserver

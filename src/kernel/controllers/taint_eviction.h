#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"

namespace atl::controllers {

// When a pod has to leave a node, by the node's NoExecute taints and the pod's tolerations. Pure.
// Nothing: it may stay. A taint without a time counts from `now`.
std::optional<WallTime> leaves_at(const json::Value& pod, const json::Array& taints, WallTime now);

// Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer.
// Watches Node, Pod. Keys are pods. Writes Pod (condition DisruptionTarget, delete).
// Event: TaintManagerEviction.
class TaintEvictionController final : public api::Reconciler {
 public:
  explicit TaintEvictionController(Deps deps);
  std::string_view name() const override { return "taint-eviction-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Task<> evict(api::ObjectPtr pod, json::Value document);

  Deps deps_;
  api::Informer& nodes_;
  api::Informer& pods_;
  api::Informer::Index by_node_;
};

// Deletes pods that nobody else will: of nodes that are gone, ended ones past a limit, and ones
// that are being deleted and never got a node. Watches Pod, Node. Writes Pod (status.phase Failed,
// delete).
class PodGarbageCollector final : public api::Reconciler {
 public:
  explicit PodGarbageCollector(Deps deps);
  std::string_view name() const override { return "pod-garbage-collector"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  static constexpr size_t kEndedMax = 12'500;

  Deps deps_;
  api::Informer& nodes_;
  api::Informer& pods_;
  api::Informer::Index by_node_;
};

}  // namespace atl::controllers

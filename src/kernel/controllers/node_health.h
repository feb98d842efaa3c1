#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"

namespace atl::controllers {

inline constexpr Duration kNodeGrace =
    std::chrono::seconds(50);  // silence that makes a node Unknown
inline constexpr Duration kNodeStartupGrace = std::chrono::seconds(60);  // for one that never spoke

// Writes "Unknown" into the conditions of a node that fell silent. Pure. True if something changed.
bool mark_silent(json::Array& conditions, bool ever_spoke, WallTime now);
// The taints that conditions and spec.unschedulable ask for, onto those that others set. Pure. True
// if something changed.
bool set_condition_taints(json::Value& node, WallTime now);

// Notices nodes that fell silent (their Lease is not renewed and their status not posted for 50 s),
// says so in their conditions, taints nodes by their conditions, and marks the pods of a silent
// node not ready. Watches Node, Lease (kube-node-lease), Pod (by node). Writes Node.status,
// Node.spec.taints, Pod.status. Event: NodeNotReady.
class NodeHealthController final : public api::Reconciler {
 public:
  explicit NodeHealthController(Deps deps);
  std::string_view name() const override { return "node-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  void heard(const std::string& node) { last_sign_[node] = deps_.seams.timer->monotonic(); }
  // 0: it is silent.
  Duration until_silent(const std::string& node, bool ever_spoke);
  Task<> mark_pods_not_ready(api::ObjectPtr node);

  Deps deps_;
  api::Informer& nodes_;
  api::Informer& leases_;
  api::Informer& pods_;
  api::Informer::Index pods_by_node_;
  std::map<std::string, MonoTime> last_sign_;  // by this process's clock: theirs may be wrong
};

}  // namespace atl::controllers

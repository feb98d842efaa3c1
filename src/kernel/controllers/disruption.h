#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/pod_view.h"

namespace atl::controllers {

// What a budget asks for and what there is.
struct BudgetView {
  const json::Value& document;  // the PodDisruptionBudget
  std::vector<PodView> pods;    // that its selector matches
  // How many pods their owners want in all; an error where one of them does not say.
  Result<int64_t> scale;
};

// What status says next.
struct BudgetPlan {
  json::Object status;
  Duration again{0};  // when an eviction that was allowed counts no longer; 0: never
};

// Whether a budget counts in parts of what its pods' owners want: a percentage, or maxUnavailable.
bool counts_by_scale(const json::Value& budget);
// An eviction that was allowed counts for two minutes: its pod is about to go. Where it is not
// known how many pods there should be, nothing may be disrupted. Pure.
BudgetPlan plan(const BudgetView& budget, WallTime now);

// Keeps the status of each PodDisruptionBudget equal to what its pods bear: how many are healthy,
// how many must be, how many more may be evicted. Watches PodDisruptionBudget, Pod, Deployment,
// ReplicaSet, StatefulSet, ReplicationController. Writes PodDisruptionBudget.status, which
// pods/eviction counts down.
class DisruptionController final : public api::Reconciler {
 public:
  explicit DisruptionController(Deps deps);
  std::string_view name() const override { return "disruption-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  std::optional<std::string> note_scale(const std::string& ns, const api::ObjectPtr& pod,
                                        std::map<std::string, int64_t>& sizes) const;
  Result<int64_t> scale_of(const std::vector<api::ObjectPtr>& pods) const;

  Deps deps_;
  api::Informer& budgets_;
  api::Informer& pods_;
  api::Informer& deployments_;
  api::Informer& replica_sets_;
  api::Informer& stateful_sets_;
  api::Informer& replication_controllers_;
};

}  // namespace atl::controllers

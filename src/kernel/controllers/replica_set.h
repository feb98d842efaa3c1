#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/claim.h"
#include "kernel/controllers/pod_view.h"
#include "kernel/controllers/pod_writes.h"

namespace atl::controllers {

// What plan() knows of a ReplicaSet.
struct ReplicaSetView {
  int64_t want = 1;
  Duration min_ready{0};
  bool deleting = false;
};

struct ReplicaSetPlan {
  int64_t create = 0;
  std::vector<PodView> remove;
  int64_t replicas = 0, ready = 0, available = 0, terminating = 0;
  Duration again{0};  // when the next pod becomes available by age
};

// Pure. `pods`: all of the set's pods that the cache shows, without those it was told to remove
// already; `pending`: pods created that the cache does not show yet.
ReplicaSetPlan plan(const ReplicaSetView& set, std::vector<PodView> pods, int64_t pending,
                    WallTime now);

// Keeps the number of live pods of a ReplicaSet at spec.replicas.
// Watches ReplicaSet, Pod (by owner, and orphans by selector). Writes Pod (create, delete,
// ownerReferences) and ReplicaSet.status. Owns the pods by controller reference; adopts and
// releases by selector. Events: SuccessfulCreate, FailedCreate, SuccessfulDelete, FailedDelete.
class ReplicaSetController final : public api::Reconciler {
 public:
  explicit ReplicaSetController(Deps deps);
  std::string_view name() const override { return "replicaset-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  static constexpr int64_t kBurst = 500;  // pods created or deleted in one go

  // The first error of the writes, which the status tells.
  Async<std::optional<Error>> carry_out(api::ObjectPtr set, ReplicaSetPlan todo);
  Task<> write_status(api::ObjectPtr set, ReplicaSetPlan todo, std::optional<Error> failure,
                      int64_t labeled);

  Deps deps_;
  api::Informer& sets_;
  Children pods_;
  PodWrites writes_;
};

}  // namespace atl::controllers

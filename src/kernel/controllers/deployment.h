#pragma once

#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/claim.h"
#include "kernel/controllers/deployment_plan.h"
#include "kernel/controllers/own_writes.h"

namespace atl::controllers {

// Moves the pods of a Deployment to its template, step by step, through one ReplicaSet for each
// template. Watches Deployment, ReplicaSet (by owner, and orphans by selector), Pod (a pod that
// went may let a Recreate go on). Writes ReplicaSet (create, spec.replicas, annotations, delete
// past the history limit), the revision annotation and Deployment.status. Event: ScalingReplicaSet.
class DeploymentController final : public api::Reconciler {
 public:
  explicit DeploymentController(Deps deps);
  std::string_view name() const override { return "deployment-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  // A Deployment and its sets, as read once.
  struct Snapshot {
    api::ObjectPtr object;
    json::Value document;
    DeploymentView view;
    Sets sets;
    std::vector<api::ObjectPtr> set_objects;
    api::ObjectPtr current;  // null: no set has the template yet
    int64_t max_old_revision = 0;
  };
  Snapshot take(api::ObjectPtr deployment, std::vector<api::ObjectPtr> sets) const;
  bool old_pods_running(const Snapshot& s) const;

  Task<> carry_out(std::shared_ptr<Snapshot> s, DeploymentPlan todo);
  Task<> create_set(std::shared_ptr<Snapshot> s, int64_t size);
  Task<> note_collision(std::shared_ptr<Snapshot> s);
  Task<> resize(std::shared_ptr<Snapshot> s, Resize change);
  // Brings annotations and minReadySeconds of the current set up to date. True when it wrote.
  Task<bool> refresh_current(std::shared_ptr<Snapshot> s);
  Task<api::Outcome> finish(std::shared_ptr<Snapshot> s, Judge judge);

  Deps deps_;
  api::Informer& deployments_;
  Children sets_;
  api::Informer& pods_;
  OwnWrites writes_;
};

}  // namespace atl::controllers

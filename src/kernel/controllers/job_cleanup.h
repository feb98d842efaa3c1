#pragma once

#include <optional>

#include "api/controller/reconciler.h"
#include "kernel/controllers/claim.h"

namespace atl::controllers {

// Takes the Job controller's finalizer from pods whose Job is gone or no longer owns them, so that
// they can go. Watches Pod, Job. Keys are pods. Writes Pod (metadata.finalizers).
class JobOrphanController final : public api::Reconciler {
 public:
  explicit JobOrphanController(Deps deps);
  std::string_view name() const override { return "job-orphan-pods"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Deps deps_;
  api::Informer& jobs_;
  Children pods_;
};

// Deletes Jobs that ended spec.ttlSecondsAfterFinished ago, with their pods. Watches Job. Writes
// Job (delete).
class FinishedJobController final : public api::Reconciler {
 public:
  explicit FinishedJobController(Deps deps);
  std::string_view name() const override { return "ttl-after-finished-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Deps deps_;
  api::Informer& jobs_;
};

// When a Job with a time to live is to be deleted; nothing where it has none, or has not ended.
// Pure.
std::optional<WallTime> expires_at(const json::Value& job);

// Takes the Job controller's finalizer from a pod; kConflict where it has changed since.
Task<> release_tracking(api::Client& client, api::ObjectPtr pod);

}  // namespace atl::controllers

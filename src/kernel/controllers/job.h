#pragma once

#include <map>
#include <memory>

#include "api/controller/reconciler.h"
#include "kernel/controllers/job_plan.h"
#include "kernel/controllers/pod_writes.h"

namespace atl::controllers {

// Runs the pods of a Job until enough of them have succeeded, or too many failed. What is decided
// stands in job_plan.h. Watches Job, Pod (by owner, orphans by selector). Writes Pod (create,
// delete, metadata.finalizers), Job.status. A Job whose spec.managedBy names somebody else is left
// to them. Events: SuccessfulCreate, FailedCreate, SuccessfulDelete, FailedDelete, Completed,
// Suspended, Resumed, and the reason of a failure.
class JobController final : public api::Reconciler {
 public:
  explicit JobController(Deps deps);
  std::string_view name() const override { return "job-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Task<std::vector<JobPod>> pods_of(api::ObjectPtr job, const json::Value& document);
  Task<> write_status(api::ObjectPtr job, json::Value document, const JobPlan& todo);
  Task<> carry_out(api::ObjectPtr job, std::shared_ptr<const json::Value> document, JobPlan todo);
  Task<> create(api::ObjectPtr job, std::shared_ptr<const json::Value> document,
                std::vector<JobChild> children);
  Task<> discard(api::ObjectPtr job, PodView pod);

  Deps deps_;
  api::Informer& jobs_;
  Children pods_;
  PodWrites writes_;
  std::map<std::string, JobBackoff> backoffs_;  // by uid
};

}  // namespace atl::controllers

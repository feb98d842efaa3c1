#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/claim.h"
#include "kernel/controllers/own_writes.h"
#include "kernel/controllers/pod_view.h"
#include "kernel/controllers/revisions.h"

namespace atl::controllers {

// What plan() knows of a StatefulSet.
struct StatefulSetView {
  int64_t want = 1;
  int64_t start = 0;       // the first ordinal
  int64_t partition = 0;   // pods below keep the old template
  bool ordered = true;     // podManagementPolicy OrderedReady
  bool on_delete = false;  // updates wait for somebody to delete the pods
  bool deleting = false;
  Duration min_ready{0};
  std::string update_revision;
};

// One pod with its place.
struct OrdinalPod {
  PodView pod;
  std::string revision;    // label controller-revision-hash
  bool invisible = false;  // created by us, not in the cache yet
};

// One step; the next follows when the pods have changed.
struct StatefulSetPlan {
  std::vector<int64_t> create;  // ordinals
  std::vector<PodView> remove;
  Duration again{0};  // when the next pod becomes available by age
};
StatefulSetPlan plan(const StatefulSetView& set, const std::map<int64_t, OrdinalPod>& pods,
                     WallTime now);

// Keeps the numbered pods of a StatefulSet, each with its own name and volumes, and moves them to a
// new template one after the other, from the last to the first. Watches StatefulSet, Pod (by owner,
// orphans by selector), ControllerRevision, PersistentVolumeClaim. Writes Pod,
// PersistentVolumeClaim (create; never deletes: claims outlive their pods, whatever the set's
// retention policy says, and an event tells so), ControllerRevision, StatefulSet.status. Events:
// SuccessfulCreate, SuccessfulDelete, FailedCreate, FailedDelete.
class StatefulSetController final : public api::Reconciler {
 public:
  explicit StatefulSetController(Deps deps);
  std::string_view name() const override { return "statefulset-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  // A set and what it has, as read once.
  struct Snapshot {
    api::ObjectPtr object;
    json::Value document;
    StatefulSetView view;
    TemplateRevision update, current;
    std::map<int64_t, OrdinalPod> pods;
  };
  Task<Snapshot> take(api::ObjectPtr set);
  TemplateRevision current_revision(const api::Object& set, const json::Value& document,
                                    const TemplateRevision& update) const;
  Task<> carry_out(std::shared_ptr<Snapshot> s, StatefulSetPlan todo);
  Task<> create(std::shared_ptr<Snapshot> s, int64_t ordinal);
  Task<> create_claims(std::shared_ptr<Snapshot> s, std::string pod);
  Task<> remove(std::shared_ptr<Snapshot> s, PodView pod);
  Task<> write_status(std::shared_ptr<Snapshot> s);

  Deps deps_;
  api::Informer& sets_;
  Children pods_;
  api::Informer& claims_;
  Revisions revisions_;
  OwnWrites writes_;
};

}  // namespace atl::controllers

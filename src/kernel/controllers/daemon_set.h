#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/pod_view.h"
#include "kernel/controllers/pod_writes.h"
#include "kernel/controllers/revisions.h"

namespace atl::controllers {

// One pod of a DaemonSet.
struct DaemonPod {
  PodView pod;
  bool updated = false;  // of the newest template
};

// A node, as one DaemonSet sees it.
struct DaemonNode {
  bool should_run = false;    // a pod belongs here
  bool may_continue = false;  // one that is here may stay
  std::vector<DaemonPod> pods;
};

struct DaemonSetView {
  int64_t max_unavailable = 1;
  int64_t max_surge = 0;
  bool on_delete = false;  // updates wait for somebody to delete the pods
  bool deleting = false;
  Duration min_ready{0};
};

struct DaemonSetPlan {
  std::vector<std::string> create;  // nodes
  std::vector<PodView> remove;
  std::vector<PodView> ended;  // among those to remove: pods that ended by themselves
  int64_t desired = 0, current = 0, misscheduled = 0, ready = 0, available = 0, updated = 0;
  Duration again{0};  // when the next pod becomes available by age
};

// Pure. Never more than max_unavailable nodes without an available pod by our doing, and never more
// than max_surge nodes with two.
DaemonSetPlan plan(const DaemonSetView& set, const std::map<std::string, DaemonNode>& nodes,
                   WallTime now);

// Keeps one pod of a DaemonSet on every node that its template asks for, and moves them to a new
// template node by node. Pods are pinned by node affinity; the scheduler binds them. Watches
// DaemonSet, Node, Pod (by owner, orphans by selector), ControllerRevision. Writes Pod,
// ControllerRevision, DaemonSet.status. Events: SuccessfulCreate, FailedCreate, SuccessfulDelete,
// FailedDelete, FailedDaemonPod, SucceededDaemonPod.
class DaemonSetController final : public api::Reconciler {
 public:
  explicit DaemonSetController(Deps deps);
  std::string_view name() const override { return "daemonset-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  // A set and what it has, as read once.
  struct Snapshot {
    api::ObjectPtr object;
    json::Value document;
    DaemonSetView view;
    TemplateRevision revision;
    std::map<std::string, DaemonNode> nodes;
    std::set<std::string> hashes;  // of templates that pods still have
  };
  Task<Snapshot> take(api::ObjectPtr set);
  void read_nodes(Snapshot& s) const;
  // Takes from the plan what waits for its back-off; when the first wait is over.
  Duration hold_back_ended(const Snapshot& s, DaemonSetPlan& todo);
  Task<> carry_out(std::shared_ptr<Snapshot> s, DaemonSetPlan todo);
  Task<> write_status(std::shared_ptr<Snapshot> s, const DaemonSetPlan& todo);

  // How often a node's pod has ended by itself, so that it is not made again at once for ever.
  struct Ended {
    int times = 0;
    WallTime next{};
  };

  Deps deps_;
  api::Informer& sets_;
  api::Informer& nodes_;
  Children pods_;
  Revisions revisions_;
  PodWrites writes_;
  std::map<std::pair<std::string, std::string>, Ended> ended_;  // set's uid, node
};

}  // namespace atl::controllers

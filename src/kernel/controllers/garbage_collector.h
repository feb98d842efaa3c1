#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"
#include "kernel/controllers/kind_source.h"
#include "kernel/controllers/owner_graph.h"

namespace atl::controllers {

// Deletes what has lost all its owners, and carries out foreground and orphan deletion.
// Watches every kind that discovery names (but Events), custom ones as they come and go. Writes:
// delete, ownerReferences, the finalizers foregroundDeletion and orphan. Event:
// OwnerRefInvalidNamespace. Keys are uids. An owner counts as gone only when the server says so: a
// reference to something that the graph does not hold is looked up live, by uid.
class GarbageCollector final : public api::Reconciler {
 public:
  GarbageCollector(Deps deps, const KindSource& kinds);
  std::string_view name() const override { return "generic-garbage-collector"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

  // Ends the informers of custom kinds. Before the end of the shared ones.
  Async<void> stop() { co_await custom_.stop(); }
  const OwnerGraph& graph() const { return graph_; }

 private:
  // Follows the kinds: watches new ones, drops the ones that went.
  Task<> follow_kinds();
  void observe(const api::Gvr& resource, api::Informer& informer);
  void on_change(const api::Gvr& resource, const api::ObjectPtr& before, const api::ObjectPtr& now);
  void wake(const std::string& uid) { queue_->add({"", uid}); }
  void wake_all(const std::vector<std::string>& uids);

  Task<api::Outcome> finish_foreground(std::string uid);
  Task<api::Outcome> finish_orphaning(std::string uid);
  Task<OwnerState> look_up(const OwnedNode& object, api::OwnerRef owner);
  Task<> carry_out(std::string uid, OwnerVerdict verdict);
  Task<> drop_entries(std::string uid, std::string list,
                      std::function<bool(const json::Value& entry)> goes);
  Task<> drop_references(std::string uid, std::vector<std::string> owners);
  Task<> drop_finalizer(std::string uid, std::string finalizer);
  Async<void> tell_bad_namespace(OwnedNode object, api::OwnerRef owner);

  Deps deps_;
  const KindSource& kinds_;
  api::Informer& definitions_;
  api::InformerSet custom_;  // apart: these may be removed
  OwnerGraph graph_;
  std::map<api::Gvr, api::Informer*> watched_;
  std::set<std::string> unknown_kinds_;  // uids whose owners' kind is not known (yet)
  std::set<std::string> told_;           // uids whose bad references were told
  uint64_t kinds_seen_ = 0;
  api::WorkQueue* queue_ = nullptr;
};

}  // namespace atl::controllers

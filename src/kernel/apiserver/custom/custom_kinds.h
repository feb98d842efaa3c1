#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {

// Keeps the kinds of the server in step with the stored CustomResourceDefinitions: accepts names,
// serves the versions, and when a definition is deleted removes its objects first. Owned by
// ApiServer.
class CustomKinds {
 public:
  CustomKinds(Registry& registry, api::KindSet& kinds, Executor executor);
  ~CustomKinds();

  void add_hooks(HookTable& hooks);
  // Installs what is stored, then follows changes until stop().
  Task<> start();
  Async<void> stop();

 private:
  struct Installed {
    std::vector<api::KindPtr> kinds;
    std::string schemas;  // text of the versions, to see what changed
  };

  Async<void> work();
  Task<> reconcile(std::string name);
  Task<> accept(const api::ObjectPtr& stored);
  Task<> clean_up(const api::ObjectPtr& stored);
  void refuse_new_objects(Installed& installed);
  // The objects that are still there; asks for the deletion of those that are not being deleted.
  Task<size_t> remove_objects(api::KindPtr kind);
  void install(const std::string& name, std::vector<api::KindPtr> kinds);
  void uninstall(const std::string& name);
  Call system_call(api::KindPtr kind, api::ObjectKey key) const;
  void refresh_objects(const api::Kind& kind);

  Registry& registry_;
  api::KindSet& kinds_;
  std::map<std::string, Installed> installed_;  // by name of the definition
  std::set<std::string> queue_;
  Event queued_;
  std::shared_ptr<void> listener_;
  TaskGroup tasks_;
};

}  // namespace atl::apiserver

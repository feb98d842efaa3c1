#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/cache/informer.h"
#include "api/select/select.h"
#include "kernel/controllers/deps.h"

namespace atl::controllers {

// Which children a controller's object has, which it takes and which it lets go.
struct Claim {
  std::vector<api::ObjectPtr> mine;
  std::vector<api::ObjectPtr> adopt;    // match, and nobody controls them
  std::vector<api::ObjectPtr> release;  // controlled, and match no longer
};

// Pure. `owned`: with an owner reference to the owner; `orphans`: without a controller. An owner
// that is being deleted takes and releases nothing: the garbage collector decides.
Claim plan_claim(const api::Object& owner, const api::LabelSelector& selector,
                 const std::vector<api::ObjectPtr>& owned,
                 const std::vector<api::ObjectPtr>& orphans);

// Children of one kind, found by owner or, without one, by namespace. Hangs its indexes on the
// informer.
class Children {
 public:
  explicit Children(api::Informer& informer);
  api::Informer& informer() const { return informer_; }
  std::vector<api::ObjectPtr> owned_by(const std::string& uid) const {
    return informer_.owned_by(uid);
  }
  std::vector<api::ObjectPtr> orphans(const std::string& ns) const {
    return informer_.by_index(orphans_, ns);
  }

  // Carries a claim out and returns all children, adopted ones included. Asks the server
  // whether the owner still lives before it adopts.
  Task<std::vector<api::ObjectPtr>> claim(Deps deps, api::Gvr owner_resource, api::ObjectPtr owner,
                                          api::LabelSelector selector) const;

 private:
  api::Informer& informer_;
  api::Informer::Index orphans_;
};

// An owner reference with controller: true and blockOwnerDeletion: true.
json::Object controller_ref(const api::Object& owner);
// The uid of the controlling owner, or empty.
std::string controller_uid(const api::Object& child);

// Calls `wake` with the key of the controlling owner where it is of `kind`.
void for_controller(const api::ObjectPtr& child, std::string_view kind,
                    const std::function<void(const api::ObjectKey&)>& wake);
// Hangs a handler on `children` that wakes the controlling owners (of `owner_kind`) of each changed
// child, old and new, and for an orphan every owner in its namespace whose spec.selector matches.
void wake_owners(api::Informer& children, api::Informer& owners, std::string owner_kind,
                 std::function<void(const api::ObjectKey&)> wake);

}  // namespace atl::controllers

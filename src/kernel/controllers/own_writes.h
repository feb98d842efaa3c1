#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/cache/informer.h"

namespace atl::controllers {

// A controller's own writes that its cache does not show yet. A cache is a past state: without
// this, a controller that has just created a pod would not see it, and create another. What was
// created counts as there until the cache has passed the revision of the write; what was removed
// counts as gone at once; a create whose reply was lost counts as there until asked for, and its
// name is used again if it was not, so that no retry makes a second one. One for each pair of owner
// and child kind; one executor; lost with the process, when the first list is fresh.
class OwnWrites {
 public:
  void created(const api::ObjectKey& owner, const api::Object& child);
  void create_unsure(const api::ObjectKey& owner, const std::string& child);
  // It was not made; the name is used again.
  void create_missing(const api::ObjectKey& owner, const std::string& child);
  // The name belongs to somebody else.
  void create_refused(const api::ObjectKey& owner, const std::string& child);
  void removed(const api::ObjectKey& owner, const std::string& uid);
  void updated(const api::ObjectKey& owner, Revision revision);
  void forget(const api::ObjectKey& owner) { owners_.erase(owner); }

  // Drops what the cache shows by now.
  void settle(const api::ObjectKey& owner, const api::Informer& cache);
  // Created, and not in the cache yet (after settle()).
  size_t pending(const api::ObjectKey& owner) const;
  std::vector<std::string> pending_names(const api::ObjectKey& owner) const;
  bool was_removed(const api::ObjectKey& owner, const std::string& uid) const;
  // Whether the cache shows every update of ours.
  bool current(const api::ObjectKey& owner, const api::Informer& cache) const;
  std::vector<std::string> unsure(const api::ObjectKey& owner) const;
  // A name with this prefix to use before a new one is made up; empty where there is none.
  std::string take_reusable(const api::ObjectKey& owner, std::string_view prefix);

 private:
  struct Notes {
    std::map<std::string, Revision> created;  // by child name; revision 0: the reply was lost
    std::set<std::string> removed;            // uids
    std::set<std::string> reusable;           // names
    Revision updated;
  };
  const Notes* find(const api::ObjectKey& owner) const;
  std::map<api::ObjectKey, Notes> owners_;
};

}  // namespace atl::controllers

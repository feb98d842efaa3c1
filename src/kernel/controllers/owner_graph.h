#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/object/object.h"

namespace atl::controllers {

// An object in the graph of owners: what the garbage collector needs of it, no document.
struct OwnedNode {
  api::Gvr gvr;
  api::Gvk gvk;
  api::ObjectKey key;
  std::vector<api::OwnerRef> owners;
  bool deleting = false;
  bool waits_for_dependents = false;  // finalizer foregroundDeletion
  bool orphans_dependents = false;    // finalizer orphan
};

// All objects by uid, and who depends on whom. Follows the informers. One executor.
class OwnerGraph {
 public:
  // Null where unknown.
  const OwnedNode* find(const std::string& uid) const;
  // uids of the objects that name this one as an owner.
  std::vector<std::string> dependents(const std::string& uid) const;
  bool has_dependents(const std::string& uid) const { return dependents_.contains(uid); }

  // New or changed; returns the owners that were named before and are not any more.
  std::vector<std::string> put(const api::Gvr& resource, const api::Object& object);
  void remove(const std::string& uid);
  size_t size() const { return nodes_.size(); }

 private:
  void link(const std::string& uid, const OwnedNode& node);
  void unlink(const std::string& uid, const OwnedNode& node);
  std::unordered_map<std::string, OwnedNode> nodes_;
  std::unordered_map<std::string, std::set<std::string>> dependents_;
};

// What an owner reference turned out to point at.
enum class OwnerState : uint8_t {
  kSolid,    // it is there
  kWaiting,  // it is being deleted, and waits for its dependents
  kGone,     // no such object any more
};

// What to do with an object, given its owners. Pure.
struct OwnerVerdict {
  enum class Act : uint8_t { kKeep, kDropReferences, kDelete };
  Act act = Act::kKeep;
  std::vector<std::string> drop;  // uids of owners whose references go
  std::string propagation;        // for kDelete
};
OwnerVerdict judge(const OwnedNode& object, const std::vector<OwnerState>& owners,
                   bool has_dependents);

}  // namespace atl::controllers

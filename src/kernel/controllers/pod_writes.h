#pragma once

#include <memory>
#include <string>

#include "kernel/controllers/claim.h"
#include "kernel/controllers/own_writes.h"

namespace atl::controllers {

// Creates and deletes the pods of a controller's objects, under names made up here, and remembers
// each write until the cache shows it (OwnWrites), so that a lost reply makes no second pod. Owned
// by one controller; one executor. Events on the owner: SuccessfulCreate, FailedCreate,
// SuccessfulDelete, FailedDelete.
class PodWrites {
 public:
  explicit PodWrites(Deps deps) : deps_(deps) {}
  OwnWrites& notes() { return notes_; }

  // Asks the API for pods whose create had no reply. Before anything is planned.
  Task<> resolve_lost_replies(api::ObjectPtr owner);
  // `document` without a name: it becomes `prefix` and five letters. A namespace that is going away
  // refuses quietly.
  Task<> create(api::ObjectPtr owner, std::shared_ptr<const json::Value> document,
                std::string prefix);
  Task<> remove(api::ObjectPtr owner, std::string name, std::string uid);

 private:
  Deps deps_;
  OwnWrites notes_;
};

// Creation in a namespace that is going away must fail; telling it again and again helps nobody.
bool namespace_terminates(const Error& error);

// "web-" of "web": what pods of an owner are called before the letters that tell them apart, short
// enough that the whole fits a label value.
std::string pod_prefix(const std::string& owner);

}  // namespace atl::controllers

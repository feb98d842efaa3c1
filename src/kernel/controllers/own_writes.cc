#include "kernel/controllers/own_writes.h"

namespace atl::controllers {

const OwnWrites::Notes* OwnWrites::find(const api::ObjectKey& owner) const {
  const auto it = owners_.find(owner);
  return it == owners_.end() ? nullptr : &it->second;
}

void OwnWrites::created(const api::ObjectKey& owner, const api::Object& child) {
  owners_[owner].created[child.name()] = child.revision();
}

void OwnWrites::create_unsure(const api::ObjectKey& owner, const std::string& child) {
  owners_[owner].created[child] = Revision{};
}

void OwnWrites::create_missing(const api::ObjectKey& owner, const std::string& child) {
  Notes& notes = owners_[owner];
  notes.created.erase(child);
  notes.reusable.insert(child);
}

void OwnWrites::create_refused(const api::ObjectKey& owner, const std::string& child) {
  owners_[owner].created.erase(child);
}

void OwnWrites::removed(const api::ObjectKey& owner, const std::string& uid) {
  owners_[owner].removed.insert(uid);
}

void OwnWrites::updated(const api::ObjectKey& owner, Revision revision) {
  Revision& newest = owners_[owner].updated;
  newest = std::max(newest, revision);
}

void OwnWrites::settle(const api::ObjectKey& owner, const api::Informer& cache) {
  const auto it = owners_.find(owner);
  if (it == owners_.end()) return;
  Notes& notes = it->second;
  std::erase_if(notes.created, [&](const auto& entry) {
    const auto& [name, revision] = entry;
    // A lost reply is settled when the object shows; otherwise the owner asks the server.
    if (!revision) return cache.get({owner.ns, name}) != nullptr;
    return revision <= cache.revision();
  });
  if (!notes.removed.empty()) {
    std::set<std::string> unseen;
    for (const api::ObjectPtr& object : cache.list(owner.ns)) {
      if (!object->header().deleting && notes.removed.contains(object->uid()))
        unseen.insert(object->uid());
    }
    notes.removed = std::move(unseen);
  }
  if (notes.created.empty() && notes.removed.empty() && notes.reusable.empty() &&
      notes.updated <= cache.revision()) {
    owners_.erase(it);
  }
}

size_t OwnWrites::pending(const api::ObjectKey& owner) const {
  const Notes* notes = find(owner);
  return notes ? notes->created.size() : 0;
}

std::vector<std::string> OwnWrites::pending_names(const api::ObjectKey& owner) const {
  std::vector<std::string> names;
  const Notes* notes = find(owner);
  if (!notes) return names;
  for (const auto& [name, revision] : notes->created) names.push_back(name);
  return names;
}

bool OwnWrites::was_removed(const api::ObjectKey& owner, const std::string& uid) const {
  const Notes* notes = find(owner);
  return notes && notes->removed.contains(uid);
}

bool OwnWrites::current(const api::ObjectKey& owner, const api::Informer& cache) const {
  const Notes* notes = find(owner);
  return !notes || notes->updated <= cache.revision();
}

std::vector<std::string> OwnWrites::unsure(const api::ObjectKey& owner) const {
  std::vector<std::string> names;
  const Notes* notes = find(owner);
  if (!notes) return names;
  for (const auto& [name, revision] : notes->created) {
    if (!revision) names.push_back(name);
  }
  return names;
}

std::string OwnWrites::take_reusable(const api::ObjectKey& owner, std::string_view prefix) {
  const auto it = owners_.find(owner);
  if (it == owners_.end()) return {};
  std::set<std::string>& names = it->second.reusable;
  const auto name = names.lower_bound(std::string(prefix));
  if (name == names.end() || !name->starts_with(prefix)) return {};
  return names.extract(name).value();
}

}  // namespace atl::controllers

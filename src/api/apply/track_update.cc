#include "api/apply/apply.h"
#include "api/apply/managed_fields.h"
#include "api/apply/typed.h"

// track_update() runs on every write. What managers own is touched in place, along the changed
// paths only: an entry that loses nothing is not decoded.
namespace atl::api {
namespace {

using namespace fields;

const json::Value* managed_list(const json::Value* document) {
  return document ? json::find(*document, {"metadata", "managedFields"}) : nullptr;
}

// [] and [{}] ask for a reset.
bool is_reset(const json::Value* list) {
  const json::Array* array = list ? list->if_array() : nullptr;
  if (!array) return false;
  return array->empty() ||
         (array->size() == 1 && array->front().is_object() && array->front().get_object().empty());
}

ManagedFields decoded(Result<ManagedFields> managed) {
  return managed ? *std::move(managed) : ManagedFields();
}

// Whether the request carries the list as it is stored, or may not change it: a subresource, a
// client that does not know the field, one that broke it.
bool keeps_stored(const json::Value* before, const json::Value& after, const ManagerId& manager) {
  const json::Value* mine = managed_list(&after);
  const json::Value* theirs = managed_list(before);
  if (!manager.subresource.empty() && before) return true;
  if (is_reset(mine)) return false;
  if (!mine || mine->is_null() || (theirs && json::equal(*mine, *theirs))) return true;
  const auto edited = ManagedFields::decode(mine, Trust::kClient);
  return !edited || edited->empty();
}

// Puts the stored list into the document, unless it stands there.
void restore(const json::Value* before, json::Value& after) {
  const json::Value* mine = managed_list(&after);
  const json::Value* theirs = managed_list(before);
  if (!theirs) {
    json::erase(after, {"metadata", "managedFields"});
  } else if (!mine || !json::equal(*mine, *theirs)) {
    json::set(after, {"metadata", "managedFields"}, *theirs);
  }
}

void write(json::Value& document, ManagedFields managed) {
  if (managed.empty()) {
    json::erase(document, {"metadata", "managedFields"});
  } else {
    json::set(document, {"metadata", "managedFields"}, std::move(managed).encode());
  }
}

}  // namespace

void track_update(const Schema& schema, const json::Value* before, json::Value& after,
                  const ManagerId& manager, WallTime now) {
  const bool stored = keeps_stored(before, after, manager);
  if (stored) restore(before, after);
  const Changes changes = compare(typed_root(schema), before, &after);
  if (stored && before && changes.empty()) return;
  json::Value* list = json::find(after, {"metadata", "managedFields"});
  json::Value taken = list ? std::move(*list) : json::Value();
  ManagedFields managed = decoded(stored ? ManagedFields::take(std::move(taken))
                                         : ManagedFields::decode(&taken, Trust::kClient));
  if (before && managed.empty())
    return write(after, std::move(managed));  // not tracked until an apply
  const ManagerEntry self{.manager = manager.name.empty() ? "unknown" : manager.name,
                          .operation = Operation::kUpdate,
                          .api_version = manager.api_version,
                          .subresource = manager.subresource,
                          .time = rfc3339(now),
                          .fields = {}};
  for (ManagerEntry& entry : managed.entries()) {
    subtract_json(entry.fields, changes.removed.root());
    if (!entry.same_manager(self)) subtract_json(entry.fields, changes.set.root());
  }
  if (!changes.set.empty()) {
    ManagerEntry& entry = managed.get(self);
    unite_json(entry.fields, changes.set.root());
    entry.time = self.time;
  }
  managed.drop_empty();
  managed.cap();
  write(after, std::move(managed));
}

}  // namespace atl::api

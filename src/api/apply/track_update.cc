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

ManagedFields stored(const json::Value* before) {
  auto managed = ManagedFields::decode(managed_list(before), Trust::kStored);
  return managed ? *std::move(managed) : ManagedFields();
}

// What the request starts from: the client's edited list, or the stored one.
ManagedFields starting_point(const json::Value* before, const json::Value& after,
                             const ManagerId& manager) {
  const json::Value* mine = managed_list(&after);
  const json::Value* theirs = managed_list(before);
  if (!manager.subresource.empty() && before) return stored(before);
  if (is_reset(mine)) return ManagedFields();
  if (!mine || mine->is_null() || (theirs && json::equal(*mine, *theirs))) return stored(before);
  auto managed = ManagedFields::decode(mine, Trust::kClient);
  return managed && !managed->empty() ? *std::move(managed) : stored(before);
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
  ManagedFields managed = starting_point(before, after, manager);
  if (before && managed.empty())
    return write(after, std::move(managed));  // not tracked until an apply
  const Changes changes = compare(typed_root(schema), before, &after);
  if (!changes.empty()) {
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
  }
  write(after, std::move(managed));
}

}  // namespace atl::api

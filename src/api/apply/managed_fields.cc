#include "api/apply/managed_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace atl::api::fields {
namespace {

// Objects all the way down: what unite_json() and subtract_json() count on.
bool is_tree(const json::Value& value, size_t depth) {
  const json::Object* object = value.if_object();
  if (!object || depth > kDepthMax) return false;
  return std::all_of(object->begin(), object->end(),
                     [&](const auto& pair) { return is_tree(pair.value(), depth + 1); });
}

int64_t seconds_of(const ManagerEntry& entry) {
  const auto time = parse_rfc3339(entry.time);
  return time ? std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count() : 0;
}

Result<json::Object> decode_fields(json::Value* fields, Trust trust) {
  if (!fields || fields->is_null()) return json::Object();
  if (trust == Trust::kClient) {
    TRY(const FieldSet set, from_json(*fields));
    return to_json(set);
  }
  if (!is_tree(*fields, 0)) return Error(Code::kInvalid, "fieldsV1 must be nested objects");
  return std::move(fields->get_object());
}

Result<ManagerEntry> decode_entry(json::Value& item, Trust trust) {
  ManagerEntry entry{.manager = std::string(json::string_at(item, {"manager"})),
                     .api_version = std::string(json::string_at(item, {"apiVersion"})),
                     .subresource = std::string(json::string_at(item, {"subresource"})),
                     .time = std::string(json::string_at(item, {"time"})),
                     .fields = {}};
  const std::string_view operation = json::string_at(item, {"operation"});
  if (operation != "Apply" && operation != "Update")
    return Error(Code::kInvalid, "operation must be `Apply` or `Update`");
  entry.operation = operation == "Apply" ? Operation::kApply : Operation::kUpdate;
  if (entry.api_version.empty()) return Error(Code::kInvalid, "apiVersion must not be empty");
  const std::string_view type = json::string_at(item, {"fieldsType"});
  if (type != "FieldsV1")
    return Error(Code::kInvalid, fmt::format("invalid fieldsType \"{}\"", type.substr(0, 80)));
  TRY(entry.fields, decode_fields(json::find(item, {"fieldsV1"}), trust));
  return entry;
}

}  // namespace

bool ManagerEntry::same_manager(const ManagerEntry& other) const {
  return manager == other.manager && operation == other.operation &&
         subresource == other.subresource &&
         (operation == Operation::kApply || api_version == other.api_version);
}

std::string ManagerEntry::text() const {
  std::string out = json::serialize(json::Value(manager));
  if (!subresource.empty())
    out += fmt::format(" with subresource {}", json::serialize(json::Value(subresource)));
  if (operation == Operation::kUpdate) out += " using " + api_version;
  return out;
}

namespace {

Result<std::vector<ManagerEntry>> decode_list(json::Value list, Trust trust) {
  std::vector<ManagerEntry> entries;
  if (list.is_null()) return entries;
  if (!list.is_array()) return Error(Code::kInvalid, "managedFields must be a list");
  entries.reserve(list.get_array().size() + 1);
  for (json::Value& item : list.get_array()) {
    TRY(ManagerEntry entry, decode_entry(item, trust));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

Result<ManagedFields> ManagedFields::decode(const json::Value* list, Trust trust) {
  ManagedFields managed;
  TRY(std::vector<ManagerEntry> entries, decode_list(list ? *list : json::Value(), trust));
  for (ManagerEntry& entry : entries)
    managed.get(entry) = std::move(entry);  // the last of equals counts
  return managed;
}

Result<ManagedFields> ManagedFields::take(json::Value list) {
  ManagedFields managed;
  TRY(managed.entries_, decode_list(std::move(list), Trust::kStored));
  return managed;
}

json::Array ManagedFields::encode() && {
  std::vector<std::pair<int64_t, ManagerEntry*>> order;
  order.reserve(entries_.size());
  for (ManagerEntry& entry : entries_) order.emplace_back(seconds_of(entry), &entry);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    const auto key = [](const auto& pair) {
      const ManagerEntry& e = *pair.second;
      return std::tie(e.operation, pair.first, e.manager, e.api_version, e.subresource);
    };
    return key(a) < key(b);
  });
  json::Array out;
  out.reserve(order.size());
  for (const auto& [_, entry] : order) {
    json::Object item;
    item.reserve(7);
    item.emplace("apiVersion", entry->api_version);
    item.emplace("fieldsType", "FieldsV1");
    item.emplace("fieldsV1", std::move(entry->fields));
    item.emplace("manager", entry->manager);
    item.emplace("operation", entry->operation == Operation::kApply ? "Apply" : "Update");
    if (!entry->subresource.empty()) item.emplace("subresource", entry->subresource);
    if (!entry->time.empty()) item.emplace("time", entry->time);
    out.push_back(std::move(item));
  }
  return out;
}

ManagerEntry* ManagedFields::find(const ManagerEntry& like) {
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const ManagerEntry& e) { return e.same_manager(like); });
  return it == entries_.end() ? nullptr : &*it;
}

ManagerEntry& ManagedFields::get(const ManagerEntry& like) {
  if (ManagerEntry* found = find(like)) return *found;
  ManagerEntry& made = entries_.emplace_back(like);
  made.fields.clear();
  return made;
}

void ManagedFields::drop_empty() {
  std::erase_if(entries_, [](const ManagerEntry& entry) { return entry.fields.empty(); });
}

void ManagedFields::cap() {
  const auto updates = [](const ManagerEntry& e) { return e.operation == Operation::kUpdate; };
  size_t count = size_t(std::count_if(entries_.begin(), entries_.end(), updates));
  if (count <= kUpdateManagersMax) return;
  // Oldest first; the others keep their order at the end.
  std::vector<ManagerEntry> kept;
  std::vector<ManagerEntry> updaters;
  for (ManagerEntry& entry : entries_)
    (updates(entry) ? updaters : kept).push_back(std::move(entry));
  std::sort(updaters.begin(), updaters.end(), [](const ManagerEntry& a, const ManagerEntry& b) {
    return std::tuple(seconds_of(a), a.manager, a.api_version, a.subresource) <
           std::tuple(seconds_of(b), b.manager, b.api_version, b.subresource);
  });
  std::vector<ManagerEntry> rest;
  for (ManagerEntry& entry : updaters) {
    const auto older = std::find_if(rest.begin(), rest.end(), [&](const ManagerEntry& e) {
      return e.api_version == entry.api_version;
    });
    if (count <= kUpdateManagersMax || older == rest.end()) {
      rest.push_back(std::move(entry));
      continue;
    }
    // The first of a version turns into the bucket and takes the later ones in.
    older->manager = kAncientManager;
    older->subresource.clear();
    older->time = entry.time;
    const auto set = from_json(entry.fields);
    if (set) unite_json(older->fields, set->root());
    --count;
  }
  entries_ = std::move(kept);
  for (ManagerEntry& entry : rest) entries_.push_back(std::move(entry));
}

}  // namespace atl::api::fields

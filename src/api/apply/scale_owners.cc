#include "api/apply/scale_owners.h"

#include <algorithm>

#include "api/apply/managed_fields.h"

namespace atl::api {
namespace {

using namespace fields;

const Path kReplicas{"f:spec", "f:replicas"};
constexpr std::string_view kScaleVersion = "autoscaling/v1";

ManagedFields decoded(const json::Value* list) {
  auto managed = ManagedFields::decode(list, Trust::kStored);
  return managed ? *std::move(managed) : ManagedFields();
}

FieldSet one(const Path& path) {
  FieldSet set;
  set.insert(path);
  return set;
}

bool owns(const ManagerEntry& entry, const Path& path) {
  const auto set = from_json(entry.fields);
  return set && set->contains(path);
}

// The same manager, though each side knows it by a version of its own.
bool same(const ManagerEntry& a, const ManagerEntry& b) {
  return a.manager == b.manager && a.operation == b.operation && a.subresource == b.subresource;
}

}  // namespace

json::Array scale_owners(const json::Value* managed_fields, const Path& place) {
  ManagedFields of_scale;
  for (ManagerEntry& entry : decoded(managed_fields).entries()) {
    if (!owns(entry, place)) continue;
    entry.api_version = kScaleVersion;
    entry.fields = to_json(one(kReplicas));
    of_scale.entries().push_back(std::move(entry));
  }
  return std::move(of_scale).encode();
}

json::Array object_owners(const json::Value* managed_fields, const json::Value* of_scale,
                          const Path& place, std::string_view api_version) {
  ManagedFields managed = decoded(managed_fields);
  std::vector<ManagerEntry> owners = std::move(decoded(of_scale).entries());
  std::erase_if(owners, [](const ManagerEntry& owner) { return !owns(owner, kReplicas); });
  for (ManagerEntry& entry : managed.entries()) {
    if (!owns(entry, place)) continue;
    const auto still =
        std::ranges::find_if(owners, [&](const ManagerEntry& owner) { return same(owner, entry); });
    if (still != owners.end()) {
      owners.erase(still);
    } else {
      subtract_json(entry.fields, one(place).root());
    }
  }
  managed.drop_empty();
  for (ManagerEntry& owner : owners) {
    owner.api_version = api_version;
    owner.fields = to_json(one(place));
    managed.entries().push_back(std::move(owner));
  }
  return std::move(managed).encode();
}

}  // namespace atl::api

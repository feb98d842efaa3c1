#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/object/names.h"

// Where objects lie in the store (docs/formats/store-keys.md): "/<group or
// core>/<resource>/<ns>/<name>", without "<ns>/" for cluster-scoped resources. A resource, and a
// namespace of it, is one range of keys.
namespace atl::apiserver {

// "/apps/deployments/"
std::string resource_prefix(std::string_view group, std::string_view resource);
// "default/web", or "web": the part behind the resource's prefix, and the order of every list.
std::string item_key(const api::ObjectKey& key);
// "default/", or "" for every namespace.
std::string namespace_prefix(std::string_view ns);

struct StoreKey {
  std::string_view group;  // "" for core
  std::string_view resource;
  std::string_view item;
};
// Nothing where the key is no object's. Points into `key`.
std::optional<StoreKey> read_store_key(std::string_view key);

}  // namespace atl::apiserver

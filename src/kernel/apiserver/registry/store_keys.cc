#include "kernel/apiserver/registry/store_keys.h"

namespace atl::apiserver {
namespace {
constexpr std::string_view kCore = "core";
}

std::string resource_prefix(std::string_view group, std::string_view resource) {
  std::string out = "/";
  out += group.empty() ? kCore : group;
  out += '/';
  out += resource;
  out += '/';
  return out;
}

std::string item_key(const api::ObjectKey& key) {
  return key.text();
}

std::string namespace_prefix(std::string_view ns) {
  return ns.empty() ? std::string() : std::string(ns) + "/";
}

std::optional<StoreKey> read_store_key(std::string_view key) {
  if (!key.starts_with('/')) return std::nullopt;
  const size_t group_end = key.find('/', 1);
  if (group_end == std::string_view::npos) return std::nullopt;
  const size_t resource_end = key.find('/', group_end + 1);
  if (resource_end == std::string_view::npos || resource_end + 1 == key.size()) return std::nullopt;
  StoreKey out{key.substr(1, group_end - 1),
               key.substr(group_end + 1, resource_end - group_end - 1),
               key.substr(resource_end + 1)};
  if (out.group == kCore) out.group = {};
  return out;
}

}  // namespace atl::apiserver

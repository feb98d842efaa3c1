#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl::api {

// "apps/v1" or, for the core group, "v1".
struct GroupVersion {
  std::string group;
  std::string version;
  auto operator<=>(const GroupVersion&) const = default;
  std::string text() const { return group.empty() ? version : group + "/" + version; }
};
Result<GroupVersion> parse_group_version(std::string_view text);

// A kind of object: what stands in apiVersion and kind.
struct Gvk {
  std::string group;
  std::string version;
  std::string kind;
  auto operator<=>(const Gvk&) const = default;
  GroupVersion group_version() const { return {group, version}; }
};

// A collection in a URL: lower-case plural.
struct Gvr {
  std::string group;
  std::string version;
  std::string resource;
  auto operator<=>(const Gvr&) const = default;
  GroupVersion group_version() const { return {group, version}; }
  // "deployments.apps", "pods": as messages name it.
  std::string group_resource() const { return group.empty() ? resource : resource + "." + group; }
};

// Names an object within a resource. ns is empty for cluster-scoped objects.
struct ObjectKey {
  std::string ns;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

}  // namespace atl::api

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace atl::apiserver {

// Who makes a request. Value type; shared as an immutable snapshot along the request.
struct UserInfo {
  std::string name;  // "kubernetes-admin", "system:serviceaccount:<ns>:<name>"
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  bool operator==(const UserInfo&) const = default;

  bool in_group(std::string_view group) const {
    for (const std::string& own : groups) {
      if (own == group) return true;
    }
    return false;
  }
};
using UserPtr = std::shared_ptr<const UserInfo>;

inline constexpr std::string_view kAnonymousUser = "system:anonymous";
inline constexpr std::string_view kGroupAuthenticated = "system:authenticated";
inline constexpr std::string_view kGroupUnauthenticated = "system:unauthenticated";
inline constexpr std::string_view kGroupMasters = "system:masters";

}  // namespace atl::apiserver

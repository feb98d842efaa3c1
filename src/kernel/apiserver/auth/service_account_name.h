#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object/names.h"

namespace atl::apiserver {

inline constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";
inline constexpr std::string_view kServiceAccountsGroup = "system:serviceaccounts";
inline constexpr std::string_view kNodePrefix = "system:node:";
inline constexpr std::string_view kNodesGroup = "system:nodes";

// "system:serviceaccount:<ns>:<name>".
std::string service_account_user(const api::ObjectKey& account);
// The inverse; nothing for other users.
std::optional<api::ObjectKey> parse_service_account_user(std::string_view user);
// system:serviceaccounts and system:serviceaccounts:<ns>.
std::vector<std::string> service_account_groups(std::string_view ns);

}  // namespace atl::apiserver

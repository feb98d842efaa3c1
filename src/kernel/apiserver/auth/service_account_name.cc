#include "kernel/apiserver/auth/service_account_name.h"

namespace atl::apiserver {

std::string service_account_user(const api::ObjectKey& account) {
  return std::string(kServiceAccountPrefix) + account.ns + ":" + account.name;
}

std::optional<api::ObjectKey> parse_service_account_user(std::string_view user) {
  if (!user.starts_with(kServiceAccountPrefix)) return std::nullopt;
  user.remove_prefix(kServiceAccountPrefix.size());
  const size_t colon = user.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == user.size())
    return std::nullopt;
  if (user.find(':', colon + 1) != std::string_view::npos) return std::nullopt;
  return api::ObjectKey{std::string(user.substr(0, colon)), std::string(user.substr(colon + 1))};
}

std::vector<std::string> service_account_groups(std::string_view ns) {
  return {std::string(kServiceAccountsGroup),
          std::string(kServiceAccountsGroup) + ":" + std::string(ns)};
}

}  // namespace atl::apiserver

#pragma once

#include <optional>

#include "kernel/apiserver/contract/authorizer.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

// Who a request asks to be, by its Impersonate-* headers. Value type.
struct Impersonation {
  std::string user;
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
};

// Nothing where there are no such headers. kBadRequest: groups, uid or extra without a user, two
// users, or a bad percent escape in the name of an extra.
Result<std::optional<Impersonation>> read_impersonation(const net::Headers& headers);

// Asks `authorizer` for every part (verb impersonate on users, serviceaccounts, groups, uids and
// userextras) on behalf of `caller`; gives the user the request then acts as. kForbidden names the
// part that is not allowed. Group system:authenticated is added, or system:unauthenticated for
// system:anonymous.
Task<UserInfo> impersonate(Authorizer& authorizer, UserPtr caller, Impersonation wanted);

}  // namespace atl::apiserver

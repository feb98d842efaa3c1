#include "kernel/apiserver/auth/anonymous.h"

namespace atl::apiserver {

Task<std::optional<UserInfo>> AnonymousAuthenticator::authenticate(const net::Request& request) {
  CO_TRY(auto user, co_await inner_->authenticate(request));
  if (user) co_return user;
  co_return UserInfo{.name = std::string(kAnonymousUser),
                     .groups = {std::string(kGroupUnauthenticated)}};
}

}  // namespace atl::apiserver

#include "kernel/apiserver/contract/authenticator.h"

namespace atl::apiserver {

Task<std::optional<UserInfo>> AuthenticatorChain::authenticate(const net::Request& request) {
  std::optional<Error> refused;
  for (const auto& next : chain_) {
    auto user = co_await next->authenticate(request);
    if (user && *user) co_return *std::move(user);
    if (!user && !refused) refused = std::move(user).error();
  }
  if (refused) co_return *std::move(refused);
  co_return std::nullopt;
}

}  // namespace atl::apiserver

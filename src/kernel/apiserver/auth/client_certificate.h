#pragma once

#include "kernel/apiserver/contract/authenticator.h"

namespace atl::apiserver {

// Callers with a client certificate, which the listener has verified against our authority: CN is
// the user, each O a group. Owned by the chain; keeps no state.
class ClientCertificateAuthenticator final : public Authenticator {
 public:
  Task<std::optional<UserInfo>> authenticate(const net::Request& request) override;
};

}  // namespace atl::apiserver

#pragma once

#include <optional>

#include "base/crypto/secret.h"
#include "kernel/apiserver/auth/service_account_tokens.h"
#include "kernel/apiserver/contract/authenticator.h"

namespace atl::apiserver {

// The bearer token of a request: from the Authorization header, or from a WebSocket handshake's
// subprotocol `base64url.bearer.authorization.k8s.io.<token>` (browsers cannot set headers there).
// Nothing where the request carries none. kUnauthorized where it carries an Authorization header
// that cannot be one token: two headers, another scheme, no token, more than one word.
Result<std::optional<crypto::Secret>> bearer_token(const net::Request& request);

// Callers with a service-account token. Owned by the chain; `tokens` must outlive it.
class BearerAuthenticator final : public Authenticator {
 public:
  explicit BearerAuthenticator(const ServiceAccountTokens& tokens) : tokens_(tokens) {}
  Task<std::optional<UserInfo>> authenticate(const net::Request& request) override;

 private:
  const ServiceAccountTokens& tokens_;
};

}  // namespace atl::apiserver

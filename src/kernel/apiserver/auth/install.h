#pragma once

#include <memory>

#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/auth/service_account_tokens.h"
#include "kernel/apiserver/contract/authenticator.h"
#include "kernel/apiserver/contract/hooks.h"
#include "kernel/apiserver/contract/reader.h"

// What main() needs of this folder, beside Pki, RbacAuthorizer and ServiceAccountTokens.
namespace atl::apiserver {

// Client certificates, then bearer tokens; without either system:anonymous. `tokens` must outlive
// it.
std::unique_ptr<Authenticator> make_authenticator(const ServiceAccountTokens& tokens);

// Access reviews, token reviews, token requests, and the documents by which others check our tokens
// (/.well-known/openid-configuration, /openid/v1/jwks). Everything must outlive the table.
// `authorizer` is the one that requests pass; `rbac` answers which rules a user has.
struct AuthHooks {
  Authorizer& authorizer;
  const RbacAuthorizer& rbac;
  const ServiceAccountTokens& tokens;
  const Reader& reader;
};
void add_auth_hooks(HookTable& hooks, const AuthHooks& parts);

}  // namespace atl::apiserver

#include "kernel/apiserver/auth/install.h"

#include "kernel/apiserver/auth/anonymous.h"
#include "kernel/apiserver/auth/bearer.h"
#include "kernel/apiserver/auth/client_certificate.h"
#include "kernel/apiserver/auth/reviews.h"
#include "kernel/apiserver/auth/token_request.h"

namespace atl::apiserver {

std::unique_ptr<Authenticator> make_authenticator(const ServiceAccountTokens& tokens) {
  auto chain = std::make_unique<AuthenticatorChain>();
  chain->add(std::make_unique<ClientCertificateAuthenticator>());
  chain->add(std::make_unique<BearerAuthenticator>(tokens));
  return std::make_unique<AnonymousAuthenticator>(std::move(chain));
}

void add_auth_hooks(HookTable& hooks, const AuthHooks& parts) {
  const std::string authorization = "authorization.k8s.io";
  const std::string authentication = "authentication.k8s.io";
  using Whom = AccessReviewHook::Whom;
  hooks.add(authorization, "selfsubjectaccessreviews", "",
            std::make_unique<AccessReviewHook>(parts.authorizer, Whom::kSelf));
  hooks.add(authorization, "subjectaccessreviews", "",
            std::make_unique<AccessReviewHook>(parts.authorizer, Whom::kAnybody));
  hooks.add(authorization, "localsubjectaccessreviews", "",
            std::make_unique<AccessReviewHook>(parts.authorizer, Whom::kAnybodyHere));
  hooks.add(authorization, "selfsubjectrulesreviews", "",
            std::make_unique<RulesReviewHook>(parts.rbac));
  hooks.add(authentication, "selfsubjectreviews", "", std::make_unique<SelfReviewHook>());
  hooks.add(authentication, "tokenreviews", "", std::make_unique<TokenReviewHook>(parts.tokens));
  hooks.add_document("/.well-known/openid-configuration",
                     [&tokens = parts.tokens] { return tokens.openid_configuration(); });
  hooks.add_document("/openid/v1/jwks", [&tokens = parts.tokens] { return tokens.key_set(); });
  hooks.add("", "serviceaccounts", "token",
            std::make_unique<TokenRequestHook>(parts.tokens, parts.reader));
}

}  // namespace atl::apiserver

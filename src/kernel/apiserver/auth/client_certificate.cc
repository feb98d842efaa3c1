#include "kernel/apiserver/auth/client_certificate.h"

namespace atl::apiserver {

Task<std::optional<UserInfo>> ClientCertificateAuthenticator::authenticate(
    const net::Request& request) {
  if (!request.peer.certificate) co_return std::nullopt;
  const net::PeerCertificate& certificate = *request.peer.certificate;
  if (certificate.common_name.empty()) {
    co_return Error(Code::kUnauthorized, "the client certificate has no common name");
  }
  UserInfo user{.name = certificate.common_name, .groups = certificate.organizations};
  user.groups.emplace_back(kGroupAuthenticated);
  user.extra["authentication.kubernetes.io/credential-id"] = {"X509SHA256=" +
                                                              certificate.fingerprint_sha256};
  co_return user;
}

}  // namespace atl::apiserver

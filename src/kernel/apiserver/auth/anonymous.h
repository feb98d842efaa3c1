#pragma once

#include <memory>
#include <utility>

#include "kernel/apiserver/contract/authenticator.h"

namespace atl::apiserver {

// Asks `inner`; a request without any credential is system:anonymous. One with a credential that
// does not hold stays refused: a bad token must never quietly become a stranger's.
class AnonymousAuthenticator final : public Authenticator {
 public:
  explicit AnonymousAuthenticator(std::unique_ptr<Authenticator> inner)
      : inner_(std::move(inner)) {}
  Task<std::optional<UserInfo>> authenticate(const net::Request& request) override;

 private:
  std::unique_ptr<Authenticator> inner_;
};

}  // namespace atl::apiserver

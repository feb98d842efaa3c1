#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/async/task.h"
#include "base/net/http.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

// Tells who makes a request. Built by main(), outlives the server, used on its executor.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Nothing: the request carries no credential of this kind, the next one is asked.
  // kUnauthorized: it carries one that does not hold; the request ends with 401.
  // `request` stays alive until the task ended.
  virtual Task<std::optional<UserInfo>> authenticate(const net::Request& request) = 0;
};

// The first that knows the caller wins; an error is remembered and only counts where nobody does.
class AuthenticatorChain final : public Authenticator {
 public:
  void add(std::unique_ptr<Authenticator> next) { chain_.push_back(std::move(next)); }
  Task<std::optional<UserInfo>> authenticate(const net::Request& request) override;

 private:
  std::vector<std::unique_ptr<Authenticator>> chain_;
};

}  // namespace atl::apiserver

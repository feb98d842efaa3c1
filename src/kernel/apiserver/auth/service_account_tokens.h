#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/core/rng.h"
#include "base/crypto/jwt.h"
#include "kernel/apiserver/contract/reader.h"
#include "kernel/apiserver/contract/user.h"

namespace atl::apiserver {

struct TokenSettings {
  std::string issuer;                  // "https://kubernetes.default.svc.cluster.local"
  std::vector<std::string> audiences;  // of the API itself; empty: the issuer
  std::string jwks_uri;                // where the keys are to be read; empty: below the issuer
};

// An object to which a token is tied: it holds no longer than that object lives.
struct BoundObject {
  std::string kind;  // "Pod", "Secret", "Node"
  std::string name;
  std::string uid;
  bool operator==(const BoundObject&) const = default;
};

struct TokenOrder {
  api::ObjectKey account;
  std::string account_uid;
  std::vector<std::string> audiences;  // empty: the API's own
  std::chrono::seconds lifetime{3600};
  // Set: the token asks to be replaced after this time, and lives `lifetime` all the same.
  std::optional<std::chrono::seconds> warn_after;
  std::optional<BoundObject> bound;
  std::optional<BoundObject> node;  // of a bound pod, where it has one
};

struct IssuedToken {
  crypto::Secret token;
  WallTime expires;
};

struct VerifiedToken {
  UserInfo user;
  std::vector<std::string>
      audiences;  // of those asked for (or of the API), the ones the token names
};

// Makes and checks the tokens of service accounts: ES256 JWTs with the claims of Kubernetes. A
// token holds while its account (by uid) and the object it is bound to (by uid) exist and are not
// being deleted for more than 60 s. Owned by main(); the Reader's executor. The Reader,
// clock and generator must outlive it.
class ServiceAccountTokens {
 public:
  ServiceAccountTokens(const Reader& reader, const Clock& clock, Rng& rng, crypto::PrivateKey key,
                       TokenSettings settings);

  IssuedToken issue(const TokenOrder& order) const;
  // kUnauthorized says what is wrong. `audiences` empty: those of the API.
  Result<VerifiedToken> verify(std::string_view token,
                               const std::vector<std::string>& audiences) const;

  const TokenSettings& settings() const { return settings_; }
  json::Value key_set() const { return keys_.document(); }  // /openid/v1/jwks
  json::Value openid_configuration() const;                 // /.well-known/openid-configuration

 private:
  Result<> check_alive(std::string_view group, std::string_view resource, const api::ObjectKey& key,
                       std::string_view uid, std::string_view what) const;
  Result<> check_bound(const json::Value& claims, const std::string& ns) const;

  const Reader& reader_;
  const Clock& clock_;
  Rng& rng_;
  crypto::PrivateKey key_;
  crypto::JwkSet keys_;
  TokenSettings settings_;
  mutable crypto::SignatureCache signatures_;
};

}  // namespace atl::apiserver

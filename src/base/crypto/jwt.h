#pragma once

#include <chrono>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "base/text/json.h"

// JSON Web Tokens (RFC 7519, compact JWS), signed with ES256 or RS256 and nothing else: the
// algorithm follows from the key that `kid` names, the header may only agree with it. No key ever
// comes from the token itself (`jwk`, `jku`, `x5c`, `x5u` are refused).
namespace atl::crypto {

constexpr size_t kMaxJwtBytes = 16 * 1024;

// header.payload.signature with alg, typ and the key's kid.
std::string sign_jwt(const PrivateKey& key, const json::Value& claims);

// What stands in a token, before anybody believed it. kUnauthorized where it has not the form.
struct JwtParts {
  std::string_view signed_part;  // points into the token
  std::string signature;
  json::Value header;
  json::Value claims;
};
Result<JwtParts> parse_jwt(std::string_view token);

// What a token must say besides being signed.
struct JwtRules {
  std::string issuer;                  // iss must be this
  std::vector<std::string> audiences;  // aud must name one of these; empty: not checked
  WallTime now;
  Duration leeway = std::chrono::seconds(0);  // for clocks of other machines
};

// Tokens whose signature was found good lately, by their SHA-256: checking one costs about 80 µs,
// asking here one. Belongs to one JwkSet and is used by one executor. Holds the last kTokens of
// them; says nothing about times, audiences or revocation, which are checked every time.
class SignatureCache {
 public:
  static constexpr size_t kTokens = 4096;
  bool knows(const Digest256& token) const { return known_.contains(token); }
  void remember(const Digest256& token);

 private:
  std::set<Digest256> known_;
  std::deque<Digest256> order_;
};

// The public keys of one issuer. Value type, immutable after construction.
class JwkSet {
 public:
  JwkSet() = default;
  explicit JwkSet(std::vector<PublicKey> keys) : keys_(std::move(keys)) {}
  // {"keys":[...]}; members that are not supported signing keys are skipped. kInvalid: not of that
  // form.
  static Result<JwkSet> parse(std::string_view text);

  // The claims of a token that is signed by one of the keys and follows the rules. exp is required;
  // nbf and iat, where present, may not lie in the future. kUnauthorized says what is wrong.
  Result<json::Value> verify(std::string_view token, const JwtRules& rules,
                             SignatureCache* cache = nullptr) const;

  json::Value document() const;
  bool empty() const { return keys_.empty(); }

 private:
  static bool signed_by(const PublicKey& key, const JwtParts& parts, std::string_view token,
                        SignatureCache* cache);
  const PublicKey* find(std::string_view kid) const;
  std::vector<PublicKey> keys_;
};

// The audiences that a token's `aud` names: a text or a list of texts.
std::vector<std::string> jwt_audiences(const json::Value& claims);

}  // namespace atl::crypto

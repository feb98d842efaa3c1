#include "base/crypto/jwt.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/crypto/base64.h"

namespace atl::crypto {
namespace {

constexpr size_t kMaxClaimsDepth = 16;

Error refuse(std::string message) {
  return Error(Code::kUnauthorized, "token: " + std::move(message));
}

std::string_view algorithm_of(KeyType type) {
  return type == KeyType::kP256 ? "ES256" : "RS256";
}

Result<json::Value> decode_part(std::string_view part, std::string_view what) {
  const auto bytes = base64url_decode(part);
  if (!bytes) return refuse("the " + std::string(what) + " is not base64url");
  std::vector<std::string> twice;
  auto value = json::parse(
      *bytes, {.max_depth = kMaxClaimsDepth, .max_bytes = kMaxJwtBytes, .duplicate_keys = &twice});
  if (!value || !value->is_object())
    return refuse("the " + std::string(what) + " is not a JSON object");
  if (!twice.empty()) return refuse("the " + std::string(what) + " names a member twice");
  return *std::move(value);
}

// NumericDate: seconds since 1970, perhaps with a fraction. Nothing for anything else.
std::optional<double> numeric_date(const json::Value& claims, std::string_view name) {
  const json::Value* value = json::find(claims, {name});
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double seconds = value->to_number<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 253402300799.0)
    return std::nullopt;  // year 9999
  return seconds;
}

Result<> check_header(const json::Value& header) {
  for (const std::string_view name : {"jwk", "jku", "x5c", "x5u", "crit"}) {
    if (json::find(header, {name}) != nullptr)
      return refuse("header member " + std::string(name) + " is not accepted");
  }
  const json::Value* type = json::find(header, {"typ"});
  if (type != nullptr && (!type->is_string() || type->as_string() != "JWT"))
    return refuse("typ must be JWT");
  return Unit{};
}

Result<> check_times(const json::Value& claims, const JwtRules& rules) {
  const double now = std::chrono::duration<double>(rules.now.time_since_epoch()).count();
  const double leeway = std::chrono::duration<double>(rules.leeway).count();
  const auto expires = numeric_date(claims, "exp");
  if (!expires) return refuse("exp is missing or not a time");
  if (now >= *expires + leeway) return refuse("it has expired");
  for (const std::string_view name : {"nbf", "iat"}) {
    if (json::find(claims, {name}) == nullptr) continue;
    const auto time = numeric_date(claims, name);
    if (!time) return refuse(std::string(name) + " is not a time");
    if (now + leeway < std::floor(*time)) return refuse("it is not valid yet");
  }
  return Unit{};
}

}  // namespace

std::string sign_jwt(const PrivateKey& key, const json::Value& claims) {
  const json::Object header{{"alg", algorithm_of(key.public_key().type())},
                            {"kid", key.public_key().id()},
                            {"typ", "JWT"}};
  const std::string signed_part =
      base64url(json::serialize(header)) + "." + base64url(json::serialize(claims));
  return signed_part + "." + base64url(key.sign(signed_part));
}

Result<JwtParts> parse_jwt(std::string_view token) {
  if (token.size() > kMaxJwtBytes) return refuse("it is longer than 16384 bytes");
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return refuse("it does not have three parts");
  }
  JwtParts out;
  out.signed_part = token.substr(0, second);
  TRY(out.header, decode_part(token.substr(0, first), "header"));
  TRY(out.claims, decode_part(token.substr(first + 1, second - first - 1), "payload"));
  auto signature = base64url_decode(token.substr(second + 1));
  if (!signature) return refuse("the signature is not base64url");
  out.signature = *std::move(signature);
  return out;
}

void SignatureCache::remember(const Digest256& token) {
  if (!known_.insert(token).second) return;
  order_.push_back(token);
  if (order_.size() <= kTokens) return;
  known_.erase(order_.front());
  order_.pop_front();
}

Result<JwkSet> JwkSet::parse(std::string_view text) {
  TRY(const json::Value document, json::parse(text));
  const json::Value* keys = json::find(document, {"keys"});
  if (keys == nullptr || !keys->is_array())
    return Error(Code::kInvalid, "a key set needs a list \"keys\"");
  std::vector<PublicKey> out;
  for (const json::Value& jwk : keys->as_array()) {
    const std::string_view use = json::string_at(jwk, {"use"}, "sig");
    if (use != "sig") continue;
    if (auto key = PublicKey::from_jwk(jwk)) out.push_back(*std::move(key));
  }
  return JwkSet(std::move(out));
}

const PublicKey* JwkSet::find(std::string_view kid) const {
  const auto at =
      std::ranges::find_if(keys_, [&](const PublicKey& key) { return key.id() == kid; });
  return at == keys_.end() ? nullptr : &*at;
}

bool JwkSet::signed_by(const PublicKey& key, const JwtParts& parts, std::string_view token,
                       SignatureCache* cache) {
  if (!cache) return key.verify(parts.signed_part, parts.signature);
  const Digest256 digest = sha256(token);
  if (cache->knows(digest)) return true;
  if (!key.verify(parts.signed_part, parts.signature)) return false;
  cache->remember(digest);
  return true;
}

Result<json::Value> JwkSet::verify(std::string_view token, const JwtRules& rules,
                                   SignatureCache* cache) const {
  TRY(JwtParts parts, parse_jwt(token));
  TRY_OK(check_header(parts.header));
  const PublicKey* key = find(json::string_at(parts.header, {"kid"}));
  if (key == nullptr) return refuse("kid names no key of ours");
  if (json::string_at(parts.header, {"alg"}) != algorithm_of(key->type()))
    return refuse("alg does not fit the key");
  if (!signed_by(*key, parts, token, cache)) return refuse("the signature is wrong");
  if (json::string_at(parts.claims, {"iss"}) != rules.issuer)
    return refuse("it has another issuer");
  TRY_OK(check_times(parts.claims, rules));
  if (!rules.audiences.empty()) {
    const std::vector<std::string> named = jwt_audiences(parts.claims);
    const bool fits = std::ranges::any_of(named, [&](const std::string& audience) {
      return std::ranges::count(rules.audiences, audience) > 0;
    });
    if (!fits) return refuse("it is meant for another audience");
  }
  return std::move(parts.claims);
}

json::Value JwkSet::document() const {
  json::Array keys;
  for (const PublicKey& key : keys_) keys.push_back(key.jwk());
  return json::Object{{"keys", std::move(keys)}};
}

std::vector<std::string> jwt_audiences(const json::Value& claims) {
  const json::Value* audience = json::find(claims, {"aud"});
  if (audience == nullptr) return {};
  if (audience->is_string()) return {std::string(audience->as_string())};
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(claims, {"aud"})) {
    if (item.is_string()) out.emplace_back(item.as_string());
  }
  return out;
}

}  // namespace atl::crypto

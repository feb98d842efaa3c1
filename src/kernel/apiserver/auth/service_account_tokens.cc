#include "kernel/apiserver/auth/service_account_tokens.h"

#include <algorithm>

#include "kernel/apiserver/auth/service_account_name.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kClaim = "kubernetes.io";
constexpr auto kDeletionGrace = std::chrono::seconds(60);

int64_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

json::Object reference(const BoundObject& object) {
  return {{"name", object.name}, {"uid", object.uid}};
}

Error refuse(std::string message) {
  return Error(Code::kUnauthorized, "token: " + std::move(message));
}

// The kinds a token can be bound to, as the claim names them.
struct BoundKind {
  const char* kind;
  const char* claim;
  const char* resource;
  bool namespaced;
};
constexpr BoundKind kBoundKinds[] = {{"Pod", "pod", "pods", true},
                                     {"Secret", "secret", "secrets", true},
                                     {"Node", "node", "nodes", false}};

}  // namespace

ServiceAccountTokens::ServiceAccountTokens(const Reader& reader, const Clock& clock, Rng& rng,
                                           crypto::PrivateKey key, TokenSettings settings)
    : reader_(reader),
      clock_(clock),
      rng_(rng),
      key_(std::move(key)),
      keys_({key_.public_key()}),
      settings_(std::move(settings)) {
  if (settings_.audiences.empty()) settings_.audiences = {settings_.issuer};
  if (settings_.jwks_uri.empty()) settings_.jwks_uri = settings_.issuer + "/openid/v1/jwks";
}

IssuedToken ServiceAccountTokens::issue(const TokenOrder& order) const {
  const WallTime now = clock_.now();
  const WallTime expires = now + order.lifetime;
  json::Object own{
      {"namespace", order.account.ns},
      {"serviceaccount", json::Object{{"name", order.account.name}, {"uid", order.account_uid}}}};
  if (order.bound) {
    for (const BoundKind& kind : kBoundKinds) {
      if (order.bound->kind == kind.kind) own[kind.claim] = reference(*order.bound);
    }
  }
  if (order.node) own["node"] = reference(*order.node);
  if (order.warn_after) own["warnafter"] = seconds_of(now + *order.warn_after);
  json::Array audiences;
  for (const std::string& audience :
       order.audiences.empty() ? settings_.audiences : order.audiences) {
    audiences.emplace_back(audience);
  }
  const json::Value claims =
      json::Object{{"iss", settings_.issuer},     {"sub", service_account_user(order.account)},
                   {"aud", std::move(audiences)}, {"iat", seconds_of(now)},
                   {"nbf", seconds_of(now)},      {"exp", seconds_of(expires)},
                   {"jti", rng_.uuid()},          {kClaim, std::move(own)}};
  return {crypto::Secret(crypto::sign_jwt(key_, claims)), expires};
}

Result<> ServiceAccountTokens::check_alive(std::string_view group, std::string_view resource,
                                           const api::ObjectKey& key, std::string_view uid,
                                           std::string_view what) const {
  const api::ObjectPtr object = reader_.get(group, resource, key);
  if (!object) return refuse(std::string(what) + " " + key.text() + " is gone");
  if (uid.empty() || object->uid() != uid)
    return refuse(std::string(what) + " " + key.text() + " is another one by now");
  if (!object->header().deleting) return Unit{};
  const json::Value document = object->parse();
  const auto since = parse_rfc3339(json::string_at(document, {"metadata", "deletionTimestamp"}));
  if (!since || clock_.now() > *since + kDeletionGrace) {
    return refuse(std::string(what) + " " + key.text() + " is being deleted");
  }
  return Unit{};
}

Result<> ServiceAccountTokens::check_bound(const json::Value& claims, const std::string& ns) const {
  const bool in_pod = json::find(claims, {kClaim, "pod"}) != nullptr;
  for (const BoundKind& kind : kBoundKinds) {
    if (json::find(claims, {kClaim, kind.claim}) == nullptr) continue;
    // A pod's token names its node as well; that one only informs.
    if (in_pod && std::string_view(kind.claim) == "node") continue;
    const api::ObjectKey key{kind.namespaced ? ns : std::string(),
                             std::string(json::string_at(claims, {kClaim, kind.claim, "name"}))};
    TRY_OK(check_alive("", kind.resource, key, json::string_at(claims, {kClaim, kind.claim, "uid"}),
                       kind.claim));
  }
  return Unit{};
}

Result<VerifiedToken> ServiceAccountTokens::verify(
    std::string_view token, const std::vector<std::string>& audiences) const {
  const std::vector<std::string>& wanted = audiences.empty() ? settings_.audiences : audiences;
  TRY(const json::Value claims,
      keys_.verify(token, {.issuer = settings_.issuer, .audiences = wanted, .now = clock_.now()},
                   &signatures_));
  const api::ObjectKey account{
      std::string(json::string_at(claims, {kClaim, "namespace"})),
      std::string(json::string_at(claims, {kClaim, "serviceaccount", "name"}))};
  const std::string user_name = service_account_user(account);
  if (account.ns.empty() || account.name.empty() || json::string_at(claims, {"sub"}) != user_name) {
    return refuse("it names no service account");
  }
  const std::string uid(json::string_at(claims, {kClaim, "serviceaccount", "uid"}));
  TRY_OK(check_alive("", "serviceaccounts", account, uid, "service account"));
  TRY_OK(check_bound(claims, account.ns));

  VerifiedToken out{
      .user = {.name = user_name, .uid = uid, .groups = service_account_groups(account.ns)}};
  out.user.groups.emplace_back(kGroupAuthenticated);
  for (const char* claim : {"pod", "node"}) {
    for (const char* member : {"name", "uid"}) {
      const std::string_view value = json::string_at(claims, {kClaim, claim, member});
      if (!value.empty())
        out.user.extra[std::string("authentication.kubernetes.io/") + claim + "-" + member] = {
            std::string(value)};
    }
  }
  if (const std::string_view id = json::string_at(claims, {"jti"}); !id.empty()) {
    out.user.extra["authentication.kubernetes.io/credential-id"] = {"JTI=" + std::string(id)};
  }
  for (const std::string& audience : crypto::jwt_audiences(claims)) {
    if (std::ranges::find(wanted, audience) != wanted.end()) out.audiences.push_back(audience);
  }
  return out;
}

json::Value ServiceAccountTokens::openid_configuration() const {
  return json::Object{{"issuer", settings_.issuer},
                      {"jwks_uri", settings_.jwks_uri},
                      {"response_types_supported", json::Array{"id_token"}},
                      {"subject_types_supported", json::Array{"public"}},
                      {"id_token_signing_alg_values_supported", json::Array{"ES256"}}};
}

}  // namespace atl::apiserver

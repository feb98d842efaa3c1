#include "kernel/apiserver/auth/token_request.h"

#include <fmt/format.h>

#include "kernel/apiserver/contract/status.h"

namespace atl::apiserver {
namespace {

constexpr int64_t kMinSeconds = 600;
constexpr int64_t kMaxSeconds = int64_t{1} << 32;
constexpr int64_t kDefaultSeconds = 3600;
constexpr int64_t kAutomountedSeconds = 3607;
constexpr auto kExtendedLifetime = std::chrono::hours(24 * 365);

Error bad_lifetime(int64_t seconds, std::string_view why) {
  const std::string message = fmt::format("Invalid value: {}: {}", seconds, why);
  return api::invalid({"authentication.k8s.io", "v1", "TokenRequest"}, "",
                      {{"FieldValueInvalid", message, "spec.expirationSeconds"}});
}

bool same_audiences(const std::vector<std::string>& asked, const TokenSettings& settings) {
  return asked.empty() || asked == settings.audiences;
}

}  // namespace

Result<> TokenRequestHook::bind(TokenOrder& order, const json::Value& reference) const {
  const std::string kind(json::string_at(reference, {"kind"}));
  const std::string name(json::string_at(reference, {"name"}));
  const std::string_view uid = json::string_at(reference, {"uid"});
  std::string_view resource;
  if (kind == "Pod") resource = "pods";
  if (kind == "Secret") resource = "secrets";
  if (kind == "Node") resource = "nodes";
  if (resource.empty() || json::string_at(reference, {"apiVersion"}, "v1") != "v1") {
    return Error(
        Code::kBadRequest,
        fmt::format("cannot bind token for serviceaccount \"{}\" to object of kind \"{}\"; Pod, "
                    "Secret and Node of v1 are possible",
                    order.account.name, kind));
  }
  const api::ObjectPtr object =
      reader_.get("", resource, {kind == "Node" ? std::string() : order.account.ns, name});
  if (!object) return not_found(resource, name);
  if (!uid.empty() && object->uid() != uid) {
    return conflict(resource, name,
                    fmt::format("the UID in the bound object reference ({}) does not match the UID "
                                "in record. The object "
                                "might have been deleted and then recreated",
                                uid));
  }
  order.bound = {kind, name, object->uid()};
  if (kind != "Pod") return Unit{};
  const json::Value pod = object->parse();
  if (json::string_at(pod, {"spec", "serviceAccountName"}) != order.account.name) {
    return Error(
        Code::kBadRequest,
        fmt::format("cannot bind token to pod \"{}\" running with different service account name.",
                    name));
  }
  if (const std::string node(json::string_at(pod, {"spec", "nodeName"})); !node.empty()) {
    const api::ObjectPtr found = reader_.get("", "nodes", {"", node});
    if (found) order.node = {"Node", node, found->uid()};
  }
  return Unit{};
}

Result<TokenOrder> TokenRequestHook::read_order(const VirtualRequest& request,
                                                const json::Value& spec) const {
  TokenOrder order{.account = request.key, .account_uid = request.parent->uid()};
  for (const json::Value& audience : json::array_at(spec, {"audiences"})) {
    if (audience.is_string()) order.audiences.emplace_back(audience.as_string());
  }
  const int64_t seconds = json::int_at(spec, {"expirationSeconds"}, kDefaultSeconds);
  if (seconds < kMinSeconds)
    return bad_lifetime(seconds, "may not specify a duration less than 10 minutes");
  if (seconds > kMaxSeconds)
    return bad_lifetime(seconds, "may not specify a duration larger than 2^32 seconds");
  order.lifetime = std::chrono::seconds(seconds);
  if (const json::Value* reference = json::find(spec, {"boundObjectRef"});
      reference != nullptr && reference->is_object()) {
    TRY_OK(bind(order, *reference));
  }
  if (seconds == kAutomountedSeconds && same_audiences(order.audiences, tokens_.settings())) {
    order.warn_after = order.lifetime;
    order.lifetime = kExtendedLifetime;
  }
  return order;
}

Task<VirtualReply> TokenRequestHook::post(VirtualRequest request) {
  const json::Value spec = json::object_at(request.body, {"spec"});
  CO_TRY(const TokenOrder order, read_order(request, spec));
  const IssuedToken issued = tokens_.issue(order);
  // Answered is what was asked for, also where the token lives longer.
  const auto promised = order.warn_after.value_or(order.lifetime);
  json::Value reply = std::move(request.body);
  json::Array audiences;
  for (const std::string& audience :
       order.audiences.empty() ? tokens_.settings().audiences : order.audiences) {
    audiences.emplace_back(audience);
  }
  json::set(reply, {"metadata", "name"}, json::Value(request.key.name));
  json::set(reply, {"metadata", "namespace"}, json::Value(request.key.ns));
  json::set(reply, {"metadata", "creationTimestamp"}, json::Value(rfc3339(request.now)));
  json::set(reply, {"spec", "audiences"}, std::move(audiences));
  json::set(reply, {"spec", "expirationSeconds"}, promised.count());
  json::set(reply, {"status"},
            json::Object{{"token", issued.token.reveal()},
                         {"expirationTimestamp", rfc3339(request.now + promised)}});
  co_return VirtualReply{201, std::move(reply)};
}

}  // namespace atl::apiserver

#include "kernel/apiserver/auth/reviews.h"

#include <fmt/format.h>

namespace atl::apiserver {
namespace {

std::vector<std::string> texts_at(const json::Value& document, json::Path path) {
  std::vector<std::string> out;
  for (const json::Value& item : json::array_at(document, path)) {
    if (item.is_string()) out.emplace_back(item.as_string());
  }
  return out;
}

json::Array array_of(const std::vector<std::string>& texts) {
  json::Array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

// {rawSelector} or {requirements:[{key, operator, values}]} as the text of a URL. Requirements that
// authorizers cannot use are left out: the answer may then only get stricter.
std::string selector_text(const json::Value& attributes, std::string_view which) {
  if (const auto raw = json::string_at(attributes, {which, "rawSelector"}); !raw.empty())
    return std::string(raw);
  std::string out;
  for (const json::Value& requirement : json::array_at(attributes, {which, "requirements"})) {
    const std::vector<std::string> values = texts_at(requirement, {"values"});
    if (json::string_at(requirement, {"operator"}) != "In" || values.size() != 1) continue;
    if (!out.empty()) out += ',';
    out += fmt::format("{}={}", json::string_at(requirement, {"key"}), values.front());
  }
  return out;
}

Error invalid_review(const api::Kind& kind, std::string_view reason, std::string_view message,
                     std::string_view field) {
  return api::invalid(kind.gvk, "",
                      {{std::string(reason), std::string(message), std::string(field)}});
}

Attributes resource_question(const json::Value& asked) {
  const auto text = [&](std::string_view key) {
    return std::string(json::string_at(asked, {key}));
  };
  return {.verb = text("verb"),
          .group = text("group"),
          .version = text("version"),
          .resource = text("resource"),
          .subresource = text("subresource"),
          .ns = text("namespace"),
          .name = text("name"),
          .field_selector = selector_text(asked, "fieldSelector"),
          .label_selector = selector_text(asked, "labelSelector")};
}

Result<Attributes> read_question(const VirtualRequest& request, bool local) {
  const json::Value* resource = json::find(request.body, {"spec", "resourceAttributes"});
  const json::Value* path = json::find(request.body, {"spec", "nonResourceAttributes"});
  const bool has_resource = resource != nullptr && resource->is_object();
  const bool has_path = path != nullptr && path->is_object();
  if (has_resource == has_path) {
    return invalid_review(request.kind, "FieldValueInvalid",
                          "Invalid value: exactly one of nonResourceAttributes or "
                          "resourceAttributes must be specified",
                          "spec.resourceAttributes");
  }
  if (local && has_path) {
    return invalid_review(request.kind, "FieldValueInvalid",
                          "Invalid value: disallowed on this kind of request",
                          "spec.nonResourceAttributes");
  }
  if (has_path) {
    return Attributes{.verb = std::string(json::string_at(*path, {"verb"})),
                      .is_resource = false,
                      .path = std::string(json::string_at(*path, {"path"}))};
  }
  Attributes out = resource_question(*resource);
  if (local && out.ns != request.key.ns) {
    return invalid_review(
        request.kind, "FieldValueInvalid",
        fmt::format("Invalid value: \"{}\": must match metadata.namespace", out.ns),
        "spec.resourceAttributes.namespace");
  }
  return out;
}

Result<UserPtr> read_subject(const VirtualRequest& request) {
  UserInfo user{.name = std::string(json::string_at(request.body, {"spec", "user"})),
                .uid = std::string(json::string_at(request.body, {"spec", "uid"})),
                .groups = texts_at(request.body, {"spec", "groups"})};
  if (user.name.empty() && user.groups.empty()) {
    return invalid_review(request.kind, "FieldValueInvalid",
                          "Invalid value: \"\": at least one of user or group must be specified",
                          "spec.user");
  }
  for (const auto& [key, values] : json::object_at(request.body, {"spec", "extra"})) {
    user.extra[std::string(key)] = texts_at(values, {});
  }
  return UserPtr(std::make_shared<const UserInfo>(std::move(user)));
}

}  // namespace

json::Value user_document(const UserInfo& user) {
  json::Object out{{"username", user.name}};
  if (!user.uid.empty()) out["uid"] = user.uid;
  if (!user.groups.empty()) out["groups"] = array_of(user.groups);
  if (!user.extra.empty()) {
    json::Object extra;
    for (const auto& [key, values] : user.extra) extra[key] = array_of(values);
    out["extra"] = std::move(extra);
  }
  return out;
}

Task<VirtualReply> AccessReviewHook::post(VirtualRequest request) {
  CO_TRY(Attributes question, read_question(request, whom_ == Whom::kAnybodyHere));
  if (whom_ == Whom::kSelf) {
    question.user = request.user;
  } else {
    CO_TRY(question.user, read_subject(request));
  }
  const auto decision = co_await authorizer_.authorize(std::move(question));
  json::Object status{{"allowed", decision && decision->allowed}};
  if (decision && decision->denied) status["denied"] = true;
  if (decision && !decision->reason.empty()) status["reason"] = decision->reason;
  if (!decision) status["evaluationError"] = decision.error().message();
  json::Value reply = std::move(request.body);
  json::set(reply, {"status"}, std::move(status));
  co_return VirtualReply{201, std::move(reply)};
}

Task<VirtualReply> RulesReviewHook::post(VirtualRequest request) {
  const std::string ns(json::string_at(request.body, {"spec", "namespace"}));
  if (ns.empty()) co_return Error(Code::kBadRequest, "no namespace on request");
  RbacRules rules = rbac_.index().rules_of(*request.user, ns);
  if (request.user->in_group(kGroupMasters)) {
    rules.push_back({.verbs = {"*"}, .api_groups = {"*"}, .resources = {"*"}});
    rules.push_back({.verbs = {"*"}, .urls = {"*"}});
  }
  json::Array resources;
  json::Array urls;
  for (const RbacRule& rule : rules) {
    if (!rule.resources.empty()) resources.push_back(rule.document());
    if (!rule.urls.empty()) urls.push_back(rule.document());
  }
  json::Object status{{"resourceRules", std::move(resources)},
                      {"nonResourceRules", std::move(urls)},
                      {"incomplete", false}};
  const std::vector<std::string> dangling = rbac_.index().dangling(*request.user, ns);
  if (!dangling.empty())
    status["evaluationError"] = fmt::format("role \"{}\" of a binding not found", dangling.front());
  json::Value reply = std::move(request.body);
  json::set(reply, {"status"}, std::move(status));
  co_return VirtualReply{201, std::move(reply)};
}

Task<VirtualReply> SelfReviewHook::post(VirtualRequest request) {
  json::Value reply = std::move(request.body);
  json::set(reply, {"metadata", "creationTimestamp"}, json::Value(rfc3339(request.now)));
  json::set(reply, {"status"}, json::Object{{"userInfo", user_document(*request.user)}});
  co_return VirtualReply{201, std::move(reply)};
}

Task<VirtualReply> TokenReviewHook::post(VirtualRequest request) {
  const std::string token(json::string_at(request.body, {"spec", "token"}));
  if (token.empty())
    co_return Error(Code::kBadRequest, "token is required for TokenReview in authentication");
  const std::vector<std::string> asked = texts_at(request.body, {"spec", "audiences"});
  const auto verified = tokens_.verify(token, asked);
  json::Object status{{"authenticated", verified.has_value()}};
  if (verified) {
    status["user"] = user_document(verified->user);
    // Without audiences in the question the answer is about the API itself and names none.
    if (!asked.empty()) status["audiences"] = array_of(verified->audiences);
  } else {
    status["user"] = json::Object{};
    status["error"] = verified.error().message();
  }
  json::Value reply = std::move(request.body);
  json::set(reply, {"status"}, std::move(status));
  co_return VirtualReply{201, std::move(reply)};
}

}  // namespace atl::apiserver

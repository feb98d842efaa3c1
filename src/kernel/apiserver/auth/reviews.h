#pragma once

#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/auth/service_account_tokens.h"
#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// UserInfo as authentication.k8s.io/v1 writes it.
json::Value user_document(const UserInfo& user);

// May somebody do something? For the caller (SelfSubjectAccessReview), for anybody
// (SubjectAccessReview), for anybody in one namespace (LocalSubjectAccessReview).
class AccessReviewHook final : public VirtualHook {
 public:
  enum class Whom : uint8_t { kSelf, kAnybody, kAnybodyHere };
  AccessReviewHook(Authorizer& authorizer, Whom whom) : authorizer_(authorizer), whom_(whom) {}
  std::string_view name() const override { return "authorization.access_review"; }
  Task<VirtualReply> post(VirtualRequest request) override;

 private:
  Authorizer& authorizer_;
  Whom whom_;
};

// What the caller may do in a namespace (kubectl auth can-i --list).
class RulesReviewHook final : public VirtualHook {
 public:
  explicit RulesReviewHook(const RbacAuthorizer& rbac) : rbac_(rbac) {}
  std::string_view name() const override { return "authorization.rules_review"; }
  Task<VirtualReply> post(VirtualRequest request) override;

 private:
  const RbacAuthorizer& rbac_;
};

// Who am I? (kubectl auth whoami)
class SelfReviewHook final : public VirtualHook {
 public:
  std::string_view name() const override { return "authentication.self_review"; }
  Task<VirtualReply> post(VirtualRequest request) override;
};

// Whose is this token?
class TokenReviewHook final : public VirtualHook {
 public:
  explicit TokenReviewHook(const ServiceAccountTokens& tokens) : tokens_(tokens) {}
  std::string_view name() const override { return "authentication.token_review"; }
  Task<VirtualReply> post(VirtualRequest request) override;

 private:
  const ServiceAccountTokens& tokens_;
};

}  // namespace atl::apiserver

#pragma once

#include "kernel/apiserver/auth/service_account_tokens.h"
#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// POST serviceaccounts/<name>/token: a token for the account, bound to a pod, secret or node where
// the request says so. Lifetimes from 600 s to 2^32 s (kInvalid otherwise). A token for the API
// that asks for 3607 s, as automounted ones do, lives for a year and asks to be renewed after 3607
// s: programs that read their token once would otherwise stop after an hour.
class TokenRequestHook final : public VirtualHook {
 public:
  TokenRequestHook(const ServiceAccountTokens& tokens, const Reader& reader)
      : tokens_(tokens), reader_(reader) {}
  std::string_view name() const override { return "serviceaccount.token"; }
  Task<VirtualReply> post(VirtualRequest request) override;

 private:
  Result<TokenOrder> read_order(const VirtualRequest& request, const json::Value& spec) const;
  Result<> bind(TokenOrder& order, const json::Value& reference) const;

  const ServiceAccountTokens& tokens_;
  const Reader& reader_;
};

}  // namespace atl::apiserver

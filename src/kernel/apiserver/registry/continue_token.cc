#include "kernel/apiserver/registry/continue_token.h"

#include "base/crypto/base64.h"
#include "base/text/json.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kVersion = "meta.k8s.io/v1";

Error bad_token() {
  return Error(Code::kBadRequest, "continue key is not valid");
}

}  // namespace

std::string encode_continue(const ContinueToken& token) {
  const int64_t revision = token.revision ? int64_t(token.revision->value) : -1;
  return crypto::base64url(
      json::serialize(json::Object{{"v", kVersion}, {"rv", revision}, {"start", token.start}}));
}

Result<ContinueToken> decode_continue(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);  // clients may pad
  const auto bytes = crypto::base64url_decode(text);
  if (!bytes) return bad_token();
  const auto document = json::parse(*bytes);
  if (!document || json::string_at(*document, {"v"}) != kVersion) return bad_token();
  const int64_t revision = json::int_at(*document, {"rv"});
  ContinueToken token{.start = std::string(json::string_at(*document, {"start"}))};
  if (token.start.empty() || revision == 0 || revision < -1) return bad_token();
  if (revision > 0) token.revision = Revision{uint64_t(revision)};
  return token;
}

}  // namespace atl::apiserver

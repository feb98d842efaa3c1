#include "kernel/apiserver/registry/continue_token.h"

#include <array>

#include "base/text/json.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kVersion = "meta.k8s.io/v1";
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string base64url(std::string_view bytes) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | uint8_t(c);
    for (count += 8; count >= 6; count -= 6) out += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 63];
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | uint32_t(value);
    count += 6;
    if (count >= 8) out += char(bits >> (count -= 8) & 255);
  }
  return out;
}

Error bad_token() {
  return Error(Code::kBadRequest, "continue key is not valid");
}

}  // namespace

std::string encode_continue(const ContinueToken& token) {
  const int64_t revision = token.revision ? int64_t(token.revision->value) : -1;
  return base64url(
      json::serialize(json::Object{{"v", kVersion}, {"rv", revision}, {"start", token.start}}));
}

Result<ContinueToken> decode_continue(std::string_view text) {
  const auto bytes = from_base64url(text);
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

#include "kernel/apiserver/auth/bearer.h"

#include <algorithm>

#include "base/crypto/base64.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kSubprotocol = "base64url.bearer.authorization.k8s.io.";

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// RFC 6750: b64token. Everything else (white space, controls, commas) makes two readings possible.
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

Result<std::optional<crypto::Secret>> from_header(std::string_view value) {
  const size_t space = value.find(' ');
  if (!same_ignoring_case(value.substr(0, space), "bearer")) {
    return Error(Code::kUnauthorized, "Authorization: only the scheme Bearer is accepted");
  }
  const std::string_view token =
      space == std::string_view::npos ? std::string_view() : value.substr(space + 1);
  if (!is_token(token))
    return Error(Code::kUnauthorized, "Authorization: Bearer must be followed by one token");
  return std::optional(crypto::Secret(std::string(token)));
}

Result<std::optional<crypto::Secret>> from_subprotocols(const net::Request& request) {
  std::optional<crypto::Secret> found;
  for (std::string_view header : request.headers.all("sec-websocket-protocol")) {
    while (!header.empty()) {
      const size_t comma = header.find(',');
      const std::string_view name = trimmed(header.substr(0, comma));
      header = comma == std::string_view::npos ? std::string_view() : header.substr(comma + 1);
      if (!name.starts_with(kSubprotocol)) continue;
      const auto token = crypto::base64url_decode(name.substr(kSubprotocol.size()));
      if (found || !token || !is_token(*token)) {
        return Error(Code::kUnauthorized, "Sec-WebSocket-Protocol: must carry one base64url token");
      }
      found.emplace(*token);
    }
  }
  return found;
}

}  // namespace

Result<std::optional<crypto::Secret>> bearer_token(const net::Request& request) {
  const std::vector<std::string_view> headers = request.headers.all("authorization");
  if (headers.size() > 1)
    return Error(Code::kUnauthorized, "Authorization: the header stands twice");
  if (headers.size() == 1) return from_header(headers.front());
  if (!same_ignoring_case(request.headers.get("upgrade"), "websocket"))
    return std::optional<crypto::Secret>();
  return from_subprotocols(request);
}

Task<std::optional<UserInfo>> BearerAuthenticator::authenticate(const net::Request& request) {
  CO_TRY(const auto token, bearer_token(request));
  if (!token) co_return std::nullopt;
  CO_TRY(VerifiedToken verified, tokens_.verify(token->reveal(), {}));
  co_return std::move(verified.user);
}

}  // namespace atl::apiserver

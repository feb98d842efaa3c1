#include "api/client/status_error.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace atl::api {
namespace {

struct Row {
  Code code;
  int http;
  std::string_view reason;
};

// Both ways. Ordered as enum Code.
constexpr std::array kRows = {
    Row{Code::kBadRequest, 400, "BadRequest"},
    Row{Code::kUnauthorized, 401, "Unauthorized"},
    Row{Code::kForbidden, 403, "Forbidden"},
    Row{Code::kNotFound, 404, "NotFound"},
    Row{Code::kMethodNotAllowed, 405, "MethodNotAllowed"},
    Row{Code::kNotAcceptable, 406, "NotAcceptable"},
    Row{Code::kExists, 409, "AlreadyExists"},
    Row{Code::kConflict, 409, "Conflict"},
    Row{Code::kGone, 410, "Expired"},
    Row{Code::kTooLarge, 413, "RequestEntityTooLarge"},
    Row{Code::kUnsupportedMedia, 415, "UnsupportedMediaType"},
    Row{Code::kInvalid, 422, "Invalid"},
    Row{Code::kTooMany, 429, "TooManyRequests"},
    Row{Code::kInternal, 500, "InternalError"},
    Row{Code::kUnavailable, 503, "ServiceUnavailable"},
    Row{Code::kTimeout, 504, "Timeout"},
    Row{Code::kCancelled, 499, "Timeout"},
    Row{Code::kExhausted, 507, "InternalError"},
};
// Looked at first: what others send besides, and what a 409 without a reason is taken for.
constexpr Row kAlsoRead[] = {
    {Code::kConflict, 409, "Conflict"},
    {Code::kGone, 410, "Gone"},
    {Code::kTimeout, 504, "ServerTimeout"},
    {Code::kExhausted, 507, "InsufficientStorage"},
};

Code code_of(int http, std::string_view reason) {
  const auto find = [](auto&& matches) -> std::optional<Code> {
    for (const Row& row : kAlsoRead) {
      if (matches(row)) return row.code;
    }
    for (const Row& row : kRows) {
      if (matches(row)) return row.code;
    }
    return std::nullopt;
  };
  const auto both = find([&](const Row& row) { return row.http == http && row.reason == reason; });
  if (both) return *both;
  const auto by_reason = find([&](const Row& row) { return row.reason == reason; });
  if (by_reason) return *by_reason;
  const auto by_http = find([&](const Row& row) { return row.http == http; });
  if (by_http) return *by_http;
  return http >= 500 ? Code::kUnavailable : Code::kBadRequest;
}

}  // namespace

int http_code(Code code) {
  return kRows[size_t(code)].http;
}
std::string_view status_reason(Code code) {
  return kRows[size_t(code)].reason;
}

Error error_from_status(int http_code, const json::Value& status) {
  std::string message(json::string_at(status, {"message"}));
  if (message.empty()) message = fmt::format("the server answered with HTTP {}", http_code);
  Error error(code_of(http_code, json::string_at(status, {"reason"})), std::move(message));
  for (const json::Value& cause : json::array_at(status, {"details", "causes"})) {
    error = std::move(error).with_cause({std::string(json::string_at(cause, {"reason"})),
                                         std::string(json::string_at(cause, {"message"})),
                                         std::string(json::string_at(cause, {"field"}))});
  }
  const int64_t wait = json::int_at(status, {"details", "retryAfterSeconds"});
  if (wait > 0) error = std::move(error).with_retry_after(std::chrono::seconds(wait));
  return error;
}

}  // namespace atl::api

#include "api/client/status_error.h"

#include <fmt/format.h>

#include <array>

namespace atl::api {
namespace {

struct Row {
  int http;
  std::string_view reason;
  Code code;
};
// The first row of an HTTP code is also what the code means without a reason.
constexpr std::array kRows = {
    Row{400, "BadRequest", Code::kBadRequest},
    Row{401, "Unauthorized", Code::kUnauthorized},
    Row{403, "Forbidden", Code::kForbidden},
    Row{404, "NotFound", Code::kNotFound},
    Row{405, "MethodNotAllowed", Code::kMethodNotAllowed},
    Row{406, "NotAcceptable", Code::kNotAcceptable},
    Row{409, "Conflict", Code::kConflict},
    Row{409, "AlreadyExists", Code::kExists},
    Row{410, "Expired", Code::kGone},
    Row{410, "Gone", Code::kGone},
    Row{413, "RequestEntityTooLarge", Code::kTooLarge},
    Row{415, "UnsupportedMediaType", Code::kUnsupportedMedia},
    Row{422, "Invalid", Code::kInvalid},
    Row{429, "TooManyRequests", Code::kTooMany},
    Row{500, "InternalError", Code::kInternal},
    Row{503, "ServiceUnavailable", Code::kUnavailable},
    Row{504, "Timeout", Code::kTimeout},
    Row{504, "ServerTimeout", Code::kTimeout},
    Row{507, "InsufficientStorage", Code::kExhausted},
};

Code code_of(int http, std::string_view reason) {
  for (const Row& row : kRows) {
    if (!reason.empty() && row.reason == reason) return row.code;
  }
  for (const Row& row : kRows) {
    if (row.http == http) return row.code;
  }
  return http >= 500 ? Code::kUnavailable : Code::kBadRequest;
}

}  // namespace

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

#include "base/core/result.h"

namespace atl {

std::string_view name(Code code) {
  switch (code) {
    case Code::kBadRequest:
      return "bad request";
    case Code::kUnauthorized:
      return "unauthorized";
    case Code::kForbidden:
      return "forbidden";
    case Code::kNotFound:
      return "not found";
    case Code::kMethodNotAllowed:
      return "method not allowed";
    case Code::kNotAcceptable:
      return "not acceptable";
    case Code::kExists:
      return "already exists";
    case Code::kConflict:
      return "conflict";
    case Code::kGone:
      return "gone";
    case Code::kTooLarge:
      return "too large";
    case Code::kUnsupportedMedia:
      return "unsupported media type";
    case Code::kInvalid:
      return "invalid";
    case Code::kTooMany:
      return "too many requests";
    case Code::kInternal:
      return "internal error";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kTimeout:
      return "timeout";
    case Code::kCancelled:
      return "cancelled";
    case Code::kExhausted:
      return "exhausted";
  }
  return "unknown";
}

Error Error::during(std::string_view what) && {
  message_ = std::string(what) + ": " + message_;
  return std::move(*this);
}

Error Error::with_cause(Cause cause) && {
  causes_.push_back(std::move(cause));
  return std::move(*this);
}

Error Error::with_retry_after(std::chrono::seconds wait) && {
  retry_after_ = wait;
  return std::move(*this);
}

}  // namespace atl

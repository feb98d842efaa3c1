#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atl {

// What the caller should do next. Maps 1:1 to a Kubernetes status reason and an HTTP code
// (kernel/apiserver/status.cc holds the one table).
enum class Code : uint8_t {
  kBadRequest,        // 400: the request cannot be understood; change it
  kUnauthorized,      // 401: say who you are
  kForbidden,         // 403: ask for the right
  kNotFound,          // 404
  kMethodNotAllowed,  // 405
  kNotAcceptable,     // 406
  kExists,            // 409 AlreadyExists
  kConflict,          // 409: read again, then retry
  kGone,              // 410 Expired: list again
  kTooLarge,          // 413
  kUnsupportedMedia,  // 415
  kInvalid,           // 422: the object breaks a rule; causes name the fields
  kTooMany,           // 429: wait, then retry
  kInternal,          // 500: a fault of ours
  kUnavailable,       // 503: retry later
  kTimeout,           // 504: the deadline passed
  kCancelled,         // the caller went away
  kExhausted,         // 507-like: disk, memory or an address range is used up
};

std::string_view name(Code code);

// One field-level reason of an error, as in metav1.StatusCause.
struct Cause {
  std::string reason;   // "FieldValueInvalid", "FieldManagerConflict" ...
  std::string message;  // for people
  std::string field;    // path of the field, may be empty
  bool operator==(const Cause&) const = default;
};

// An expected failure. Value type. The message is for people and names no secret.
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::vector<Cause>& causes() const { return causes_; }
  std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }

  // Prefixes what the layer was doing: "create pod: ...". Never repeats the cause.
  Error during(std::string_view what) &&;
  Error with_cause(Cause cause) &&;
  Error with_retry_after(std::chrono::seconds wait) &&;

 private:
  Code code_;
  std::string message_;
  std::vector<Cause> causes_;
  std::optional<std::chrono::seconds> retry_after_;
};

// The value of an operation that has none.
struct Unit {
  bool operator==(const Unit&) const = default;
};

// Expected failures travel only this way; exceptions never cross a component.
template <class T = Unit>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpect, std::move(error)) {}     // NOLINT
  Result(std::expected<T, Error> other) : std::expected<T, Error>(std::move(other)) {}  // NOLINT
};

#define ATOLL_CONCAT_(a, b) a##b
#define ATOLL_NAME(a, b) ATOLL_CONCAT_(a, b)
#define ATOLL_TRY2(tmp, leave, decl, ...) \
  auto tmp = (__VA_ARGS__);               \
  if (!tmp) leave std::move(tmp).error(); \
  decl = *std::move(tmp)

// TRY(auto x, f()): declares x, or returns the Error. Several statements: never an unbraced body.
#define TRY(decl, ...) ATOLL_TRY2(ATOLL_NAME(try_, __COUNTER__), return, decl, __VA_ARGS__)
#define CO_TRY(decl, ...) ATOLL_TRY2(ATOLL_NAME(try_, __COUNTER__), co_return, decl, __VA_ARGS__)
#define TRY_OK(...)                                                                \
  do {                                                                             \
    if (auto try_ok_ = (__VA_ARGS__); !try_ok_) return std::move(try_ok_).error(); \
  } while (false)
#define CO_TRY_OK(...)                                                                \
  do {                                                                                \
    if (auto try_ok_ = (__VA_ARGS__); !try_ok_) co_return std::move(try_ok_).error(); \
  } while (false)

}  // namespace atl

#include "kernel/apiserver/contract/status.h"

#include <fmt/format.h>

#include "api/client/status_error.h"
#include "base/text/utf8.h"

namespace atl::apiserver {
namespace {

json::Object details_of(const StatusSubject& subject) {
  json::Object details;
  if (!subject.name.empty()) details["name"] = to_valid_utf8(subject.name);
  if (!subject.group.empty()) details["group"] = to_valid_utf8(subject.group);
  if (!subject.kind.empty()) details["kind"] = to_valid_utf8(subject.kind);
  if (!subject.uid.empty()) details["uid"] = subject.uid;
  return details;
}

json::Array causes_of(const Error& error) {
  json::Array causes;
  for (const Cause& cause : error.causes()) {
    if (cause.reason == kContinueToken) continue;
    json::Object item{{"reason", cause.reason}, {"message", to_valid_utf8(cause.message)}};
    if (!cause.field.empty()) item["field"] = to_valid_utf8(cause.field);
    causes.push_back(std::move(item));
  }
  return causes;
}

}  // namespace

std::optional<StatusSubject> subject_of_invalid(std::string_view message) {
  const size_t open = message.find(" \"");
  const size_t close = message.find("\" is invalid");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2)
    return std::nullopt;
  const std::string_view kind = message.substr(0, open);
  if (kind.find(' ') != std::string_view::npos) return std::nullopt;
  const size_t dot = std::min(kind.find('.'), kind.size());
  return StatusSubject{.name = std::string(message.substr(open + 2, close - open - 2)),
                       .group = std::string(kind.substr(std::min(dot + 1, kind.size()))),
                       .kind = std::string(kind.substr(0, dot))};
}

json::Value status_document(const Error& error, const StatusSubject& subject) {
  json::Object details = details_of(subject);
  json::Object metadata;
  for (const Cause& cause : error.causes()) {
    if (cause.reason == kContinueToken) metadata["continue"] = cause.message;
  }
  json::Array causes = causes_of(error);
  // kubectl shows the details of an Invalid in place of its message: without causes they would say
  // of what, and not why.
  if (causes.empty() && error.code() == Code::kInvalid) details.clear();
  if (!causes.empty()) details["causes"] = std::move(causes);
  if (error.retry_after()) details["retryAfterSeconds"] = error.retry_after()->count();
  json::Object status{{"kind", "Status"},
                      {"apiVersion", "v1"},
                      {"metadata", std::move(metadata)},
                      {"status", "Failure"},
                      {"message", to_valid_utf8(error.message())},
                      {"reason", api::status_reason(error.code())},
                      {"code", api::http_code(error.code())}};
  if (!details.empty()) status["details"] = std::move(details);
  return status;
}

json::Value success_document(const StatusSubject& subject) {
  json::Object status{{"kind", "Status"},
                      {"apiVersion", "v1"},
                      {"metadata", json::Object{}},
                      {"status", "Success"}};
  json::Object details = details_of(subject);
  if (!details.empty()) status["details"] = std::move(details);
  return status;
}

Error not_found(std::string_view group_resource, std::string_view name) {
  return Error(Code::kNotFound, fmt::format("{} \"{}\" not found", group_resource, name));
}

Error already_exists(std::string_view group_resource, std::string_view name) {
  return Error(Code::kExists, fmt::format("{} \"{}\" already exists", group_resource, name));
}

Error conflict(std::string_view group_resource, std::string_view name, std::string_view why) {
  return Error(Code::kConflict, fmt::format("Operation cannot be fulfilled on {} \"{}\": {}",
                                            group_resource, name, why));
}

Error modified_meanwhile(std::string_view group_resource, std::string_view name) {
  return conflict(group_resource, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

Error unknown_resource() {
  return Error(Code::kNotFound, "the server could not find the requested resource");
}

Error method_not_allowed() {
  return Error(Code::kMethodNotAllowed,
               "the server does not allow this method on the requested resource");
}

Error expired(std::string_view why) {
  return Error(Code::kGone, std::string(why));
}

Error too_large_revision(uint64_t asked, uint64_t current) {
  return Error(Code::kTimeout,
               fmt::format("Timeout: Too large resource version: {}, current: {}", asked, current))
      .with_cause({"ResourceVersionTooLarge", "Too large resource version", ""})
      .with_retry_after(std::chrono::seconds(1));
}

}  // namespace atl::apiserver

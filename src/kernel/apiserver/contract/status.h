#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/text/json.h"

// metav1.Status: the only form in which the server says how a request ended, and the one table of
// codes, reasons and HTTP codes. The inverse is api::error_from_status (api/client/status_error.h).
namespace atl::apiserver {

// What an outcome is about: Status.details. Empty members are left out.
struct StatusSubject {
  std::string name;
  std::string group;
  std::string kind;  // the resource, or the kind where an object is invalid
  std::string uid;
};

// A cause with this reason is no cause but the token with which an expired list goes on:
// Status.metadata.continue.
inline constexpr std::string_view kContinueToken = "ContinueToken";

// The subject that the message of an invalid object or of invalid options names:
// `Kind.group "name" is invalid: ...`. Nothing where the message has another form.
std::optional<StatusSubject> subject_of_invalid(std::string_view message);

// A Failure.
json::Value status_document(const Error& error, const StatusSubject& subject = {});
// A Success.
json::Value success_document(const StatusSubject& subject);

// The messages that clients compare.
// `pods "x" not found`; `group_resource` as api::Gvr::group_resource() writes it.
Error not_found(std::string_view group_resource, std::string_view name);
Error already_exists(std::string_view group_resource, std::string_view name);
// `Operation cannot be fulfilled on pods "x": <why>`
Error conflict(std::string_view group_resource, std::string_view name, std::string_view why);
Error modified_meanwhile(std::string_view group_resource, std::string_view name);
Error unknown_resource();
Error method_not_allowed();
Error expired(std::string_view why);
// The revision asked for lies in the future.
Error too_large_revision(uint64_t asked, uint64_t current);

}  // namespace atl::apiserver

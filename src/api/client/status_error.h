#pragma once

#include <string_view>

#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::api {

// How an error is told over HTTP: the status code, and the reason of a metav1.Status.
int http_code(Code code);
std::string_view status_reason(Code code);

// The Error that a metav1.Status stands for: by its reason, else by the HTTP code. Causes and the
// time to wait come along. A body that is no Status gives an Error by the code alone.
Error error_from_status(int http_code, const json::Value& status);

}  // namespace atl::api

#pragma once

#include "base/core/result.h"
#include "base/text/json.h"

namespace atl::api {

// The Error that a metav1.Status stands for: by its reason, else by the HTTP code. Causes and the
// time to wait come along. A body that is no Status gives an Error by the code alone.
Error error_from_status(int http_code, const json::Value& status);

}  // namespace atl::api

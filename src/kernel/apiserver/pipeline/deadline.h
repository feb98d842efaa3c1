#pragma once

#include "base/core/result.h"
#include "base/net/http.h"

namespace atl::apiserver {

// The `timeout` parameter ("32s"): what the client waits for. Nothing here waits longer than a few
// seconds, so that only its form is checked. kBadRequest.
Result<> check_timeout(const net::Query& query);

}  // namespace atl::apiserver

#pragma once

#include <optional>

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/net/http.h"
#include "kernel/apiserver/request_info.h"

namespace atl::apiserver {

// How long the client of a request that is no stream waits for it: the `timeout` parameter
// ("32s"), and of a list also timeoutSeconds. Nothing where it does not say, or where it says zero,
// less, or more than a minute: nothing here takes that long. kBadRequest where either is malformed.
Result<std::optional<Duration>> request_deadline(const net::Query& query, const RequestInfo& info);

}  // namespace atl::apiserver

#pragma once

#include "base/core/clock.h"
#include "base/core/result.h"
#include "base/net/http.h"
#include "kernel/apiserver/contract/request_info.h"

namespace atl::apiserver {

// All of a request that is no stream takes at most this, and the arrival of its body, as a whole,
// no longer than that.
inline constexpr Duration kRequestWithin = std::chrono::seconds(60);
inline constexpr Duration kBodyWithin = std::chrono::seconds(34);

// How long a request that is no stream may take: what its client says in the `timeout` parameter
// ("32s"), and of a list also timeoutSeconds; kRequestWithin where it does not say, or where it
// says zero, less, or more than that. kBadRequest where either is malformed.
Result<Duration> request_deadline(const net::Query& query, const RequestInfo& info);

}  // namespace atl::apiserver

#pragma once

#include "base/core/result.h"
#include "kernel/apiserver/pipeline/exchange.h"
#include "kernel/apiserver/registry/call.h"

namespace atl::apiserver {

// What a request asks of the registry. The field manager is the first word of User-Agent where the
// query names none, except for apply, which has to name one.
Result<Call> read_call(Exchange& exchange, api::KindPtr kind);

}  // namespace atl::apiserver

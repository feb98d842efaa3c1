#pragma once

#include "base/core/rng.h"
#include "kernel/apiserver/pipeline/exchange.h"

namespace atl::apiserver {

// Takes the caller's Audit-ID (letters, digits and dashes, at most 64) or makes one.
std::string audit_id_of(const net::Headers& headers, Rng& rng);
// One line for each finished request: who did what to what, and how it ended. No bodies.
void audit(const Exchange& exchange, MonoTime now);

}  // namespace atl::apiserver

#pragma once

#include <set>

#include "base/core/result.h"
#include "kernel/network/service_table.h"

namespace atl::network {

// Forgets the UDP flows that were translated in one of these ways. A UDP client that keeps its
// socket would otherwise go on talking to a backend that has left, for as long as it talks. (TCP
// connections end with their backend.) Blocking: walks the whole connection table once. Returns how
// many it forgot.
Result<size_t> forget_udp_flows(const std::set<Translation>& gone);

}  // namespace atl::network

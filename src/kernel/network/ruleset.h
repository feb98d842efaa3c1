#pragma once

#include <set>
#include <string>

#include "kernel/network/host_network.h"
#include "kernel/network/options.h"
#include "kernel/network/service_table.h"

namespace atl::network {

// The nftables table of an instance, as text for libnftables. Pure functions.
//
// Services are two data maps, never a chain each (with chains, loading is quadratic: 12 s for 10
// 000):
//   services  address . protocol . port        → goto pick_N, one shared chain for each number of
//   backends slots     address . protocol . port . slot → address . port of a backend
// pick_N draws a slot by numgen and translates: two hash look-ups for a new connection, however
// many Services there are, and exact balance. Above kExactBackends the slots are a power of two,
// filled in turn. Sticky Services draw by the client's address, and a backend that leaves moves
// only its own clients.
//
// Beside that the table holds what keeps pods apart: see README.md.

inline constexpr size_t kExactBackends = 32;
inline constexpr size_t kMostSlots = 1024;  // backends beyond that get no connections
inline constexpr size_t kStickySlots = 256;

// Replaces the whole table, in one transaction.
std::string full_ruleset(const Options& options, const HostFacts& facts,
                         const Frontends& frontends);

// Addresses that begin, or cease, to be a backend of anything.
struct BackendChange {
  std::set<Ipv4> gone;
  std::set<Ipv4> fresh;
};
// Turns `before` into `after`, in one transaction; empty where nothing differs. Only the frontends
// that changed need to be in either.
std::string ruleset_change(const Options& options, const Frontends& before, const Frontends& after,
                           const BackendChange& backends);
std::string delete_ruleset(const Options& options);

}  // namespace atl::network

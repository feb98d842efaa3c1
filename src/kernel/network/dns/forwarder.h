#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/core/rng.h"
#include "kernel/network/dns/cache.h"
#include "kernel/network/dns/exchange.h"

namespace atl::network::dns {

// Asks the host's own name servers what is not the cluster's, and remembers what they said. Servers
// are asked one after the other, twice round; the one that answered last is asked first. The
// client's own EDNS and flags go along. A server that refuses or fails is passed over while another
// is left. Bounded: at most kMostInFlight questions at once. One executor; owned by DnsServer.
class Forwarder {
 public:
  static constexpr size_t kMostInFlight = 512;
  static constexpr Duration kPatience = std::chrono::seconds(2);  // with one server, once

  // `upstreams` is asked for each question: the host's resolv.conf may change at any time.
  Forwarder(Timer& timer, Rng& rng, Exchange& exchange,
            std::function<std::vector<Upstream>()> upstreams)
      : rng_(rng), exchange_(exchange), upstreams_(std::move(upstreams)), cache_(timer) {}

  // The reply, with the query's id. kUnavailable: nobody answered; kTooMany: too many questions at
  // once.
  Task<Bytes> ask(Query query, Bytes packet, Transport transport);

  size_t in_flight() const { return in_flight_; }
  Cache& cache() { return cache_; }

 private:
  Task<Bytes> ask_all(Query query, Bytes packet, Transport transport);

  Rng& rng_;
  Exchange& exchange_;
  std::function<std::vector<Upstream>()> upstreams_;
  Cache cache_;
  size_t in_flight_ = 0;
  size_t first_ = 0;
};

}  // namespace atl::network::dns

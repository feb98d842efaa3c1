#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/async/blocking_pool.h"
#include "base/async/task_group.h"
#include "kernel/network/dns/forwarder.h"
#include "kernel/network/dns/shares.h"
#include "kernel/network/dns/zone.h"

namespace atl::network::dns {

// Answers one packet: from the zone, or from elsewhere. What the sockets call, and what tests and
// the fuzz target call without sockets.
class Resolver {
 public:
  Resolver(Zone& zone, Forwarder& forwarder) : zone_(zone), forwarder_(forwarder) {}

  // The reply; empty where none is due (the packet is no query).
  Async<Bytes> answer(Bytes packet, Transport transport);

 private:
  Async<Bytes> answer_own(Query query, size_t limit, Transport transport);
  Zone& zone_;
  Forwarder& forwarder_;
};

// The cluster's name server, UDP and TCP, on LINK_IP. Only pods and the host itself reach that
// address (an nftables rule). Bounded: kMostConnections TCP connections, each idle at most kIdle;
// UDP questions that have to be forwarded by the Forwarder's own bound. One client gets at most an
// eighth of either. One executor; stop() before the end.
class DnsServer {
 public:
  static constexpr size_t kMostConnections = 128;
  static constexpr Duration kIdle = std::chrono::seconds(10);

  DnsServer(Executor executor, Timer& timer, Rng& rng, BlockingPool& pool, const Options& options,
            std::string resolv_conf = "/etc/resolv.conf");
  ~DnsServer();

  // Port 0: any free one. Returns the port. kExists: somebody else listens there; kForbidden.
  Result<uint16_t> listen(const std::string& address, uint16_t port);
  Async<void> stop();

  Zone& zone() { return zone_; }
  Forwarder& forwarder() { return forwarder_; }

 private:
  struct Sockets;
  Async<void> serve_udp();
  Async<void> serve_tcp();
  // Reads the host's resolv.conf now and then.
  Async<void> follow_resolv_conf();
  Task<> read_resolv_conf();

  Executor executor_;
  Timer& timer_;
  BlockingPool& pool_;
  std::string resolv_conf_;
  Ipv4 self_;
  Zone zone_;
  SocketExchange exchange_;
  std::vector<Upstream> upstreams_;
  Forwarder forwarder_;
  Resolver resolver_;
  std::unique_ptr<Sockets> sockets_;
  size_t connections_ = 0;
  Shares questions_of_, connections_of_;  // by client's address
  TaskGroup tasks_;
};

}  // namespace atl::network::dns

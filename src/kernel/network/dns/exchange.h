#pragma once

#include "base/async/task.h"
#include "base/async/timer.h"
#include "kernel/network/dns/message.h"
#include "kernel/network/dns/upstreams.h"

namespace atl::network::dns {

enum class Transport : uint8_t { kUdp, kTcp };

// One question to one server. The seam between the forwarder and the wire.
class Exchange {
 public:
  virtual ~Exchange() = default;
  // The first packet with the id of `query` (its first two bytes) that comes back. kTimeout past
  // the limit, kUnavailable where the server cannot be reached.
  virtual Task<Bytes> ask(Upstream upstream, Bytes query, Transport transport, Duration limit) = 0;
};

// Sockets: a fresh one, so a fresh source port, for each question.
class SocketExchange final : public Exchange {
 public:
  SocketExchange(Executor executor, Timer& timer) : executor_(std::move(executor)), timer_(timer) {}
  Task<Bytes> ask(Upstream upstream, Bytes query, Transport transport, Duration limit) override;

 private:
  Executor executor_;
  Timer& timer_;
};

}  // namespace atl::network::dns

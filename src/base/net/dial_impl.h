#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/net/client.h"
#include "base/net/deadlines_impl.h"
#include "base/net/tls_impl.h"
#include "base/net/transport_impl.h"

namespace atl::net {

struct Dialed {
  std::unique_ptr<Transport> transport;
  std::string protocol;  // what ALPN chose; empty without TLS
};

struct DialOptions {
  Endpoint endpoint;
  std::shared_ptr<TlsContext> tls;     // null: in clear
  std::vector<std::string> protocols;  // for ALPN, best first
  MonoTime deadline;
};

// Connects: name resolution, every address in turn, TLS. kTimeout past the deadline, kUnavailable
// with the last reason where nobody can be reached.
Task<Dialed> dial(std::shared_ptr<Deadlines> deadlines, Timer& timer, DialOptions options);

}  // namespace atl::net

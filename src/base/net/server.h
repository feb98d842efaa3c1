#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/net/http.h"

namespace atl::net {

// Certificate, key and client CA of a TLS listener, PEM. Replaced at run time by Server::set_tls.
struct TlsIdentity {
  std::string certificate_chain;
  std::string private_key;
  std::string
      client_ca;  // empty: client certificates are not asked for; else optional and verified
};

struct ServerLimits {
  size_t header_bytes = 64 * 1024;
  size_t connections = 16'384;
  size_t streams_per_connection = 1'000;  // HTTP/2
  Duration header_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::minutes(5);
  size_t write_buffer_bytes = 256 * 1024;  // for each stream, before write() waits
};

struct ServerOptions {
  std::optional<TlsIdentity> tls;  // nothing: plain HTTP/1.1 and prior-knowledge HTTP/2
  ServerLimits limits;
};

// Listeners and their connections. HTTP/1.1 and HTTP/2 (by ALPN, or by preface without TLS).
// Unix sockets are never wrapped in TLS: the kernel says who is there (Peer::uid).
// One executor. stop() refuses new requests, sends GOAWAY, waits for handlers up to a grace,
// cancels the rest.
class Server {
 public:
  static std::unique_ptr<Server> make(Executor executor, Timer& timer, Handler handler,
                                      ServerOptions options);
  virtual ~Server() = default;

  // "127.0.0.1", port 0: any free one. Returns the port.
  virtual Result<uint16_t> listen_tcp(const std::string& address, uint16_t port) = 0;
  // Removes a stale socket file first; file mode as given.
  virtual Result<> listen_unix(const std::string& path, uint32_t mode) = 0;
  // Takes over a listening socket (socket activation, a test's socketpair listener).
  virtual Result<> listen_fd(int fd) = 0;

  virtual Result<> set_tls(TlsIdentity identity) = 0;
  virtual Async<void> stop(Duration grace) = 0;
  virtual size_t connections() const = 0;
};

}  // namespace atl::net

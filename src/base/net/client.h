#pragma once

#include <memory>
#include <string>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "base/net/http.h"

namespace atl::net {

// Where a client connects, and how it proves itself and its peer.
struct Endpoint {
  std::string host;  // name or address; ignored for unix
  uint16_t port = 0;
  std::string unix_path;  // not empty: a Unix socket
  bool tls = false;
  std::string ca;                 // PEM; empty: the system's trust store
  std::string certificate_chain;  // PEM, client certificate, may be empty
  std::string private_key;
  std::string server_name;  // empty: host
  bool insecure_skip_verify = false;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, encoded
  Headers headers;
  std::string body;
  // Set: the body, sent piece by piece as it is read (chunked; HTTP/1.1 connections only). Such a
  // request is never tried again.
  std::shared_ptr<BodyReader> body_stream;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::shared_ptr<BodyReader> body;  // holds its connection until read to the end or dropped
};

struct Upgraded {
  int status = 0;
  Headers headers;
  std::unique_ptr<ByteStream> stream;  // null unless status is 101
  std::shared_ptr<BodyReader> body;    // the answer where status is not 101
};

// A pool of connections to one endpoint. One executor. Requests that were not written to the wire
// are retried once on a fresh connection; nothing else is.
class HttpClient {
 public:
  static std::unique_ptr<HttpClient> make(Executor executor, Timer& timer, Endpoint endpoint);
  virtual ~HttpClient() = default;

  // Returns when the head of the reply has arrived; kTimeout after `deadline`, kUnavailable when
  // the peer cannot be reached.
  virtual Task<ClientResponse> send(ClientRequest request, Duration deadline) = 0;
  // HTTP/1.1 upgrade (WebSocket, SPDY).
  virtual Task<Upgraded> upgrade(ClientRequest request, Duration deadline) = 0;
};

// A raw connection, TLS where the endpoint says so.
Task<std::unique_ptr<ByteStream>> connect(Timer& timer, Endpoint endpoint, Duration deadline);

}  // namespace atl::net

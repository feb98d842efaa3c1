#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/async/task.h"
#include "base/core/bytes.h"

// HTTP as servers and clients of Atoll see it, the same over HTTP/1.1, HTTP/2, TLS and Unix
// sockets.
namespace atl::net {

// Names are lower case. Order is kept; a name may stand more than once.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> items) : items_(items) {}
  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);
  // The first value, or empty.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// Decoded query parameters in order.
class Query {
 public:
  // kBadRequest on a bad percent escape.
  static Result<Query> parse(std::string_view text);
  std::string_view get(std::string_view name) const;  // the first, or empty
  bool has(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  // As Kubernetes reads flags: everything but "0" and "false" is true, a bare name too.
  bool flag(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// Percent-decodes one path segment or query value; nothing on a bad escape.
std::optional<std::string> percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);

// A verified client certificate.
struct PeerCertificate {
  std::string common_name;
  std::vector<std::string> organizations;
  std::string fingerprint_sha256;  // hex of the DER
};

// Who is on the other end of a connection.
struct Peer {
  std::string address;  // "127.0.0.1:54321", "unix"
  bool tls = false;
  std::optional<PeerCertificate> certificate;
  std::optional<uint32_t> uid;  // Unix sockets: SO_PEERCRED
  std::optional<int32_t> pid;
};

// A byte pipe: a raw connection, an upgraded request, a tunnel. Closed by its destructor.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // 0 at the end of the stream.
  virtual Task<size_t> read_some(std::span<char> into) = 0;
  // Everything; the bytes must stay until it returns.
  virtual Task<> write(std::string_view bytes) = 0;
  virtual Task<> shutdown_write() = 0;
  virtual void close() = 0;
};

// The body of a message that is still arriving.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next piece; empty at the end. kUnavailable where the peer broke off.
  virtual Task<std::string> read_some() = 0;
  // The fields after the body (gRPC's status); empty before its end and where there were none.
  virtual Headers trailers() const { return {}; }
  // Everything; kTooLarge past `limit` bytes.
  Task<std::string> read_all(size_t limit);
};

struct Request {
  std::string method;
  std::string path;   // raw, still percent-encoded, starts with '/'
  std::string query;  // raw, without '?'
  Headers headers;
  Peer peer;
  std::shared_ptr<BodyReader> body;  // never null
};

// The body of a reply that goes out piece by piece.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  // The pieces go out one after the other and are never copied together by the caller. Waits while
  // the peer's window is closed. kUnavailable once the peer went away.
  virtual Task<> write_all(std::vector<SharedBytes> pieces) = 0;
  Task<> write(SharedBytes piece) {
    std::vector<SharedBytes> pieces;
    pieces.push_back(std::move(piece));
    return write_all(std::move(pieces));
  }
  virtual Task<> finish(Headers trailers = {}) = 0;
};

struct Response {
  int status = 200;
  Headers headers;
  std::vector<SharedBytes> body;  // written one after the other, never copied together
};

// Answers one request, once. Lives until the handler returns.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual Task<> send(Response response) = 0;
  virtual Task<std::unique_ptr<ResponseStream>> stream(int status, Headers headers) = 0;
  // 101 on HTTP/1.1 (extended CONNECT is not offered on HTTP/2): the raw connection from here on.
  // kBadRequest where the connection cannot be upgraded.
  virtual Task<std::unique_ptr<ByteStream>> upgrade(Headers headers) = 0;
  virtual bool answered() const = 0;
};

// Serves one request. Runs as a coroutine of the server's task group; is cancelled when the peer
// goes away. A handler that returns without an answer gives 500.
using Handler = std::function<Async<void>(Request request, Responder& responder)>;

}  // namespace atl::net

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/net/client.h"
#include "base/net/deadlines_impl.h"
#include "base/net/http1_parser_impl.h"
#include "base/net/transport_impl.h"

namespace atl::net {

// A client's connection over HTTP/1.1: one exchange after the other. Shared by the pool while idle
// and by the body of the running answer. One executor.
class Http1Client final : public std::enable_shared_from_this<Http1Client> {
 public:
  static constexpr size_t kHeaderBytes = 256 * 1024;

  explicit Http1Client(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  // Idle and, as far as one can see, still wanted by the peer.
  bool usable();

  struct Sent {
    Result<ClientResponse> response;
    bool untouched = false;  // no byte of the request reached the wire
  };
  // `released` is called once the answer was read to its end and the connection can go on.
  Async<Sent> send(ClientRequest request, std::string host, std::function<void()> released);
  Task<Upgraded> upgrade(ClientRequest request, std::string host);

  void fail(Error error) { transport_->fail(std::move(error)); }

  // The next piece of the running answer's body.
  Task<std::string> read_body();
  Headers trailers() { return parser_->trailers(); }

 private:
  Task<> write_chunks(std::shared_ptr<BodyReader> body);
  Task<> write_request(std::string head, std::string body, bool* untouched);
  Task<> read_head(Http1Parser::Role role);
  Task<> read_more();
  Result<> take(std::string_view fresh);

  std::unique_ptr<Transport> transport_;
  std::string input_;
  std::unique_ptr<Http1Parser> parser_;
  std::function<void()> released_;
};

// kBadRequest where the request would break the message apart.
Result<> check_request(const ClientRequest& request);
// The value of Host for an endpoint.
std::string host_field(const Endpoint& endpoint);

}  // namespace atl::net

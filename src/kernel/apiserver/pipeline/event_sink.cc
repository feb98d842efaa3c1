#include "kernel/apiserver/pipeline/event_sink.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/net/websocket.h"

namespace atl::apiserver {
namespace {

constexpr uint16_t kNormalClosure = 1000;
// What clients send on a watch is read only to see it end.
constexpr size_t kInputBytesMax = 64 * 1024;
constexpr std::string_view kBearerProtocol = "base64url.bearer.authorization.k8s.io.";

class BodySink final : public EventSink {
 public:
  explicit BodySink(std::unique_ptr<net::ResponseStream> stream) : stream_(std::move(stream)) {}
  Task<> carry(Task<> events) override { return events; }
  Task<> write(SharedBytes frame) override { return stream_->write(std::move(frame)); }
  Task<> finish() override { return stream_->finish({}); }

 private:
  const std::unique_ptr<net::ResponseStream> stream_;
};

class WebSocketSink final : public EventSink {
 public:
  explicit WebSocketSink(std::unique_ptr<net::WebSocket> socket) : socket_(std::move(socket)) {}

  Task<> carry(Task<> events) override {
    using namespace asio::experimental::awaitable_operators;
    auto ended = co_await (std::move(events) || peer_left());
    if (ended.index() == 0) co_return std::get<0>(std::move(ended));
    co_return Error(Code::kCancelled, "the client closed the watch");
  }
  Task<> write(SharedBytes frame) override {
    co_return co_await socket_->write({.text = true, .data = *frame});
  }
  Task<> finish() override { co_return co_await socket_->close(kNormalClosure, ""); }

 private:
  // Pings are answered while this reads.
  Async<void> peer_left() {
    for (;;) {
      const auto message = co_await socket_->read();
      if (!message || !*message) co_return;
    }
  }

  const std::unique_ptr<net::WebSocket> socket_;
};

// The client's own choice: there is nothing to choose from, and a token is no protocol.
std::string subprotocol(const net::Request& request) {
  for (std::string& offered : net::WebSocket::offered(request)) {
    if (!offered.starts_with(kBearerProtocol)) return std::move(offered);
  }
  return {};
}

}  // namespace

Task<std::unique_ptr<EventSink>> open_event_sink(Exchange& exchange) {
  if (!net::WebSocket::is_upgrade(exchange.http)) {
    CO_TRY(auto stream, co_await exchange.stream(200, "application/json"));
    co_return std::make_unique<BodySink>(std::move(stream));
  }
  CO_TRY(auto socket, co_await net::WebSocket::accept(exchange.http, exchange.responder(),
                                                      subprotocol(exchange.http), kInputBytesMax));
  exchange.answered_by_hook(101);
  co_return std::make_unique<WebSocketSink>(std::move(socket));
}

}  // namespace atl::apiserver

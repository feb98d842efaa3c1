#include "kernel/node/server/port_forward.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/io/files.h"
#include "base/net/spdy.h"
#include "base/net/websocket.h"
#include "kernel/network/netns.h"
#include "kernel/node/server/loop_fd_impl.h"
#include "kernel/node/server/port_channels.h"

namespace atl::node {
namespace {

constexpr const char* kSubprotocol = "SPDY/3.1+portforward.k8s.io";
constexpr uint16_t kNormalClosure = 1000;

// One connection that is forwarded.
struct Forward {
  uint32_t error_stream = 0, data_stream = 0;
  uint16_t port = 0;
  std::optional<LoopFd> socket;  // once both streams are there and the port answered
  bool over = false;
};
using ForwardPtr = std::shared_ptr<Forward>;

// Everything of one WebSocket. Lives in serve_port_forward().
class Session {
 public:
  Session(Executor executor, std::unique_ptr<net::WebSocket> socket, DialPort dial)
      : executor_(executor),
        socket_(std::move(socket)),
        dial_(std::move(dial)),
        tasks_(std::move(executor)) {}

  // Until the client goes away, or says what is no SPDY.
  Task<> run() {
    for (;;) {
      CO_TRY(auto message, co_await socket_->read());
      if (!message) co_return Unit{};
      decoder_.feed(message->data);
      for (;;) {
        CO_TRY(auto frame, decoder_.next());
        if (!frame) break;
        if (frame->type == net::spdy::FrameType::kGoAway) co_return Unit{};
        CO_TRY_OK(co_await take(*std::move(frame)));
      }
    }
  }

  Async<void> stop() {
    for (auto& [id, forward] : streams_) hang_up(*forward);
    co_await tasks_.stop();
    (void)co_await socket_->close(kNormalClosure, "");
  }

 private:
  Task<> take(net::spdy::Frame frame) {
    switch (frame.type) {
      case net::spdy::FrameType::kSynStream:
        co_return co_await open(std::move(frame));
      case net::spdy::FrameType::kData:
        co_return co_await give(std::move(frame));
      case net::spdy::FrameType::kPing:
        if (frame.id % 2 == 1) co_return co_await write(net::spdy::Encoder::ping(frame.id));
        co_return Unit{};
      case net::spdy::FrameType::kReset:
        if (const auto it = streams_.find(frame.id); it != streams_.end()) {
          hang_up(*it->second);
          streams_.erase(it);
        }
        co_return Unit{};
      case net::spdy::FrameType::kGoAway:
      case net::spdy::FrameType::kOther:
        co_return Unit{};
    }
    co_return Unit{};
  }

  Task<> open(net::spdy::Frame frame) {
    const std::string kind = frame.headers["streamtype"];
    const std::string request = frame.headers["requestid"];
    const std::string& text = frame.headers["port"];
    uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool good = error == std::errc() && end == text.data() + text.size() && port > 0;
    const bool known = kind == "error" || kind == "data";
    if (!good || !known || streams_.size() >= 2 * kForwardsMax)
      co_return co_await write(net::spdy::Encoder::reset(frame.id));
    // In one breath: replies share a compression state.
    std::string reply = encoder_.reply(frame.id);
    ForwardPtr& forward = waiting_[request];
    if (!forward) forward = std::make_shared<Forward>();
    forward->port = port;
    (kind == "error" ? forward->error_stream : forward->data_stream) = frame.id;
    streams_[frame.id] = forward;
    const ForwardPtr complete =
        forward->error_stream != 0 && forward->data_stream != 0 ? forward : nullptr;
    if (complete) waiting_.erase(request);
    CO_TRY_OK(co_await write(std::move(reply)));
    if (complete) co_return co_await connect(complete);
    co_return Unit{};
  }

  Task<> connect(ForwardPtr forward) {
    const Result<io::UniqueFd> socket = co_await dial_(forward->port);
    if (!socket) co_return co_await fail(forward, socket.error().message());
    forward->socket.emplace(executor_, socket->get());
    tasks_.spawn("forward a port", [this, forward] { return pump(forward); });
    co_return Unit{};
  }

  // To the pod. The client's other connections wait meanwhile, as its one stream of frames does.
  Task<> give(net::spdy::Frame frame) {
    const auto it = streams_.find(frame.id);
    if (it == streams_.end()) co_return Unit{};
    const ForwardPtr forward = it->second;
    if (frame.id != forward->data_stream || !forward->socket || forward->over) co_return Unit{};
    if (!frame.data.empty()) {
      const bool taken = co_await forward->socket->write(std::move(frame.data));
      if (!taken) co_return Unit{};  // the reader sees the end too, and tells
    }
    if (frame.fin && !forward->over) ::shutdown(forward->socket->fd(), SHUT_WR);
    co_return Unit{};
  }

  // From the pod, until it says no more.
  Async<void> pump(ForwardPtr forward) {
    for (;;) {
      std::string bytes = co_await forward->socket->read();
      if (forward->over) break;
      if (bytes.empty()) break;
      auto sent = co_await write(net::spdy::Encoder::data(forward->data_stream, bytes, false));
      if (!sent) break;
    }
    (void)co_await end(forward);
  }

  Task<> fail(ForwardPtr forward, std::string why) {
    CO_TRY_OK(co_await write(net::spdy::Encoder::data(
        forward->error_stream,
        fmt::format("an error occurred forwarding to port {}: {}", forward->port, why), false)));
    co_return co_await end(forward);
  }

  Task<> end(ForwardPtr forward) {
    if (forward->over) co_return Unit{};
    hang_up(*forward);
    streams_.erase(forward->data_stream);
    streams_.erase(forward->error_stream);
    CO_TRY_OK(co_await write(net::spdy::Encoder::data(forward->data_stream, {}, true)));
    co_return co_await write(net::spdy::Encoder::data(forward->error_stream, {}, true));
  }

  static void hang_up(Forward& forward) {
    forward.over = true;
    if (forward.socket && forward.socket->open()) ::shutdown(forward.socket->fd(), SHUT_RDWR);
  }

  // Whole messages, one after the other.
  Task<> write(std::string bytes) {
    while (busy_) co_await free_.wait();
    busy_ = true;
    auto sent = co_await socket_->write({false, std::move(bytes)});
    busy_ = false;
    free_.notify();
    co_return sent;
  }

  Executor executor_;
  std::unique_ptr<net::WebSocket> socket_;
  DialPort dial_;
  net::spdy::Decoder decoder_;
  net::spdy::Encoder encoder_;
  std::map<uint32_t, ForwardPtr> streams_;
  std::map<std::string, ForwardPtr> waiting_;  // by request id, until both streams are there
  bool busy_ = false;
  Event free_;
  TaskGroup tasks_;
};

}  // namespace

Task<> serve_port_forward(Executor executor, net::Request request, net::Responder& responder,
                          DialPort dial) {
  const auto offered = net::WebSocket::offered(request);
  const auto offers = [&](std::string_view name) {
    return net::WebSocket::is_upgrade(request) && std::ranges::find(offered, name) != offered.end();
  };
  if (!offers(kSubprotocol) && offers(kChannelSubprotocol)) {
    CO_TRY(const net::Query query, net::Query::parse(request.query));
    CO_TRY(auto ports, channel_ports(query));
    CO_TRY(auto socket, co_await net::WebSocket::accept(request, responder, kChannelSubprotocol));
    co_return co_await serve_port_channels(executor, std::move(socket), std::move(ports),
                                           std::move(dial));
  }
  if (!offers(kSubprotocol)) {
    co_return Error(Code::kBadRequest,
                    "Upgrade request required: this server forwards ports over WebSocket, "
                    "subprotocol SPDY/3.1+portforward.k8s.io (kubectl 1.31 or newer) or "
                    "v4.channel.k8s.io");
  }
  CO_TRY(auto socket, co_await net::WebSocket::accept(request, responder, kSubprotocol));
  Session session(executor, std::move(socket), std::move(dial));
  Result<> ended = co_await session.run();
  co_await session.stop();
  co_return ended;
}

Result<io::UniqueFd> connect_in_netns(const io::UniqueFd& netns, uint16_t port) {
  io::UniqueFd socket;
  {
    std::optional<network::NetnsScope> scope;
    if (netns) {
      TRY(auto entered, network::NetnsScope::enter(netns.get()));
      scope.emplace(std::move(entered));
    }
    socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  if (!socket) return io::errno_error("socket", errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    return Error(Code::kUnavailable, fmt::format("connect to 127.0.0.1:{}: {}", port,
                                                 io::errno_error("", errno).message()));
  }
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  return socket;
}

}  // namespace atl::node

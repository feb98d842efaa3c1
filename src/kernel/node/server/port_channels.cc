#include "kernel/node/server/port_channels.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "kernel/node/server/loop_fd_impl.h"

namespace atl::node {
namespace {

constexpr uint16_t kNormalClosure = 1000;

// Lives in serve_port_channels().
class ChannelSession {
 public:
  ChannelSession(Executor executor, std::unique_ptr<net::WebSocket> socket)
      : executor_(executor), socket_(std::move(socket)), tasks_(std::move(executor)) {}

  Task<> connect(std::vector<uint16_t> ports, DialPort dial) {
    connections_.resize(ports.size());
    open_ = ports.size();
    for (size_t i = 0; i < ports.size(); ++i) {
      const std::string number = {char(ports[i] & 0xff), char(ports[i] >> 8)};
      CO_TRY_OK(co_await send(data_channel(i), number));
      CO_TRY_OK(co_await send(error_channel(i), number));
      const Result<io::UniqueFd> made = co_await dial(ports[i]);
      if (made) {
        connections_[i].emplace(executor_, made->get());
        tasks_.spawn("forward a port", [this, i] { return pump(i); });
        continue;
      }
      CO_TRY_OK(
          co_await send(error_channel(i), fmt::format("an error occurred forwarding to port {}: {}",
                                                      ports[i], made.error().message())));
      CO_TRY_OK(co_await one_is_over());
    }
    co_return Unit{};
  }

  // To the pod, until the client goes away. What fits no connection is dropped.
  Task<> run() {
    for (;;) {
      CO_TRY(auto message, co_await socket_->read());
      if (!message) co_return Unit{};
      if (message->data.size() < 2) continue;
      const size_t channel = uint8_t(message->data[0]);
      if (channel % 2 != 0 || channel / 2 >= connections_.size()) continue;
      std::optional<LoopFd>& connection = connections_[channel / 2];
      if (!connection) continue;
      const bool taken = co_await connection->write(message->data.substr(1));
      if (!taken) continue;  // pump() sees the end too
    }
  }

  Async<void> stop() {
    for (std::optional<LoopFd>& connection : connections_) {
      if (connection) ::shutdown(connection->fd(), SHUT_RDWR);
    }
    co_await tasks_.stop();
    (void)co_await socket_->close(kNormalClosure, "");
  }

 private:
  static uint8_t data_channel(size_t place) { return uint8_t(2 * place); }
  static uint8_t error_channel(size_t place) { return uint8_t(2 * place + 1); }

  // From the pod, until it says no more.
  Async<void> pump(size_t place) {
    for (;;) {
      const std::string bytes = co_await connections_[place]->read();
      if (bytes.empty()) break;
      auto sent = co_await send(data_channel(place), bytes);
      if (!sent) break;
    }
    (void)co_await one_is_over();
  }

  Task<> one_is_over() {
    if (--open_ > 0) co_return Unit{};
    co_await take_turn();
    auto closed = co_await socket_->close(kNormalClosure, "");
    end_turn();
    co_return closed;
  }

  Task<> send(uint8_t channel, std::string bytes) {
    bytes.insert(bytes.begin(), char(channel));
    co_await take_turn();
    auto sent = co_await socket_->write({false, std::move(bytes)});
    end_turn();
    co_return sent;
  }

  // Whole messages, one after the other.
  Async<void> take_turn() {
    while (busy_) co_await free_.wait();
    busy_ = true;
  }
  void end_turn() {
    busy_ = false;
    free_.notify();
  }

  Executor executor_;
  std::unique_ptr<net::WebSocket> socket_;
  std::vector<std::optional<LoopFd>> connections_;  // nothing where the port did not answer
  size_t open_ = 0;
  bool busy_ = false;
  Event free_;
  TaskGroup tasks_;
};

}  // namespace

Result<std::vector<uint16_t>> channel_ports(const net::Query& query) {
  std::vector<uint16_t> out;
  for (std::string_view list : query.all("port")) {
    while (!list.empty()) {
      const std::string_view text = list.substr(0, list.find(','));
      list.remove_prefix(std::min(list.size(), text.size() + 1));
      uint16_t port = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
      if (error != std::errc() || end != text.data() + text.size() || port == 0)
        return Error(Code::kBadRequest, fmt::format("\"{}\" is no port", text));
      out.push_back(port);
    }
  }
  if (out.empty()) return Error(Code::kBadRequest, "query parameter \"ports\" is required");
  if (out.size() > kChannelPortsMax) {
    return Error(Code::kBadRequest,
                 fmt::format("at most {} ports can be forwarded at once", kChannelPortsMax));
  }
  return out;
}

Task<> serve_port_channels(Executor executor, std::unique_ptr<net::WebSocket> socket,
                           std::vector<uint16_t> ports, DialPort dial) {
  ChannelSession session(std::move(executor), std::move(socket));
  Result<> ended = co_await session.connect(std::move(ports), std::move(dial));
  if (ended) ended = co_await session.run();
  co_await session.stop();
  co_return ended;
}

}  // namespace atl::node

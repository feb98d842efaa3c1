#pragma once

#include <map>
#include <memory>
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/async/task_group.h"
#include "base/async/timer.h"

// For tests only.
namespace atl::gateway {

// A pod without manners behind a ClusterIP. Several share one address, as the ready pods of a
// Service do (here by SO_REUSEPORT): drain() takes this one out for new connections, stop() then
// closes those it has at once, in the middle of whatever was asked, as a process does that just
// exits.
class RudeApp {
 public:
  RudeApp(Executor executor, Timer& timer, const std::string& address, uint16_t port)
      : executor_(executor), timer_(timer), acceptor_(executor), tasks_(executor) {
    using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
    acceptor_.open(asio::ip::tcp::v4());
    acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true));
    acceptor_.set_option(ReusePort(true));
    acceptor_.bind({asio::ip::make_address(address), port});
    acceptor_.listen();
    tasks_.spawn("rude accept", [this] { return accept(); });
  }
  void drain() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }
  Async<void> stop() {
    drain();
    boost::system::error_code ignored;
    for (auto& [number, socket] : open_) socket->close(ignored);
    co_await tasks_.stop();
  }
  size_t cut() const { return cut_; }  // requests that got no answer

 private:
  static constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

  Async<void> accept() {
    for (size_t number = 0; acceptor_.is_open(); ++number) {
      const auto socket = std::make_shared<asio::ip::tcp::socket>(executor_);
      auto [error] = co_await acceptor_.async_accept(*socket, kAwait);
      if (error) co_return;
      open_[number] = socket;
      tasks_.spawn("rude serve", [this, socket, number] { return serve(socket, number); });
    }
  }
  Async<void> serve(std::shared_ptr<asio::ip::tcp::socket> socket, size_t number) {
    std::string request;
    while (socket->is_open()) {
      auto [read_error, size] = co_await asio::async_read_until(
          *socket, asio::dynamic_buffer(request), "\r\n\r\n", kAwait);
      if (read_error) break;
      request.erase(0, size);
      ++cut_;
      const bool slept = co_await timer_.sleep_for(std::chrono::milliseconds(1));
      if (!slept || !socket->is_open()) break;
      static const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      auto [write_error, written] =
          co_await asio::async_write(*socket, asio::buffer(reply), kAwait);
      if (write_error) break;
      --cut_;
    }
    open_.erase(number);
  }

  Executor executor_;
  Timer& timer_;
  asio::ip::tcp::acceptor acceptor_;
  std::map<size_t, std::shared_ptr<asio::ip::tcp::socket>> open_;
  size_t cut_ = 0;
  TaskGroup tasks_;
};

}  // namespace atl::gateway

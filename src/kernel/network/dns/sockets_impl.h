#pragma once

#include <fcntl.h>

#include <memory>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/async/task.h"
#include "base/async/timer.h"

namespace atl::network::dns {

// Asio's operations return (error, value) instead of throwing.
inline constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// Asio leaves it to us: without this a program that the agent starts would hold the port after the
// agent's end.
template <class Socket>
void close_on_exec(Socket& socket) {
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
}

// Cancels a socket's operations when the time has come, unless it goes out of scope before. Its
// waiting coroutine ends with it: it holds the socket, and nothing of the scope.
template <class Socket>
class Deadline {
 public:
  Deadline(Executor executor, Timer& timer, std::shared_ptr<Socket> socket, Duration limit)
      : state_(std::make_shared<State>()) {
    asio::co_spawn(executor, watch(state_, timer, std::move(socket), limit),
                   asio::bind_cancellation_slot(state_->cancel.slot(), [](std::exception_ptr) {}));
  }
  ~Deadline() {
    state_->over = true;
    state_->cancel.emit(asio::cancellation_type::terminal);
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  bool passed() const { return state_->passed; }

 private:
  struct State {
    asio::cancellation_signal cancel;
    bool over = false;
    bool passed = false;
  };
  static Async<void> watch(std::shared_ptr<State> state, Timer& timer,
                           std::shared_ptr<Socket> socket, Duration limit) {
    const bool slept = co_await timer.sleep_for(limit);
    if (!slept || state->over) co_return;
    state->passed = true;
    boost::system::error_code ignored;
    socket->cancel(ignored);
  }
  std::shared_ptr<State> state_;
};

}  // namespace atl::network::dns

#include "base/async/event.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl {

struct Event::Waiter {
  explicit Waiter(const Executor& executor)
      : wake(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer wake;
  bool notified = false;
};

Event::Event() = default;
Event::~Event() {
  notify();
}

void Event::notify() {
  auto waiters = std::move(waiters_);
  waiters_.clear();
  for (auto& waiter : waiters) {
    waiter->notified = true;
    waiter->wake.cancel();
  }
}

Async<bool> Event::wait() {
  auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
  waiters_.push_back(waiter);
  co_await waiter->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!waiter->notified) waiters_.remove(waiter);
  co_return waiter->notified;
}

Async<bool> Event::wait_for(Timer& timer, Duration limit) {
  using namespace asio::experimental::awaitable_operators;
  auto first = co_await (wait() || timer.sleep_for(limit));
  co_return first.index() == 0 && std::get<0>(first);
}

}  // namespace atl

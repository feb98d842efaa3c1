#include "base/async/event.h"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl {

// A coroutine that waits. It goes on by a post to its executor, once: whoever finishes it has taken
// it out of the list.
struct Event::Waiter {
  virtual ~Waiter() = default;
  virtual void finish(bool notified) = 0;
};

Event::Event() = default;
Event::~Event() {
  notify();
}

void Event::notify() {
  const auto waiters = std::exchange(waiters_, {});
  for (const auto& waiter : waiters) waiter->finish(true);
}

Async<bool> Event::wait() {
  auto initiate = [this]<class Handler>(Handler handler) {
    struct Waiting final : Waiter {
      explicit Waiting(Handler h) : work(asio::get_associated_executor(h)), handler(std::move(h)) {}
      void finish(bool notified) override {
        asio::post(work.get_executor(),
                   [h = std::move(handler), notified]() mutable { std::move(h)(notified); });
        work.reset();
      }
      asio::executor_work_guard<Executor> work;  // a loop with a waiter has not run out of work
      Handler handler;
    };
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto waiter = std::make_shared<Waiting>(std::move(handler));
    waiters_.push_back(waiter);
    if (!slot.is_connected()) return;
    slot.assign([this, weak = std::weak_ptr<Waiter>(waiter)](asio::cancellation_type) {
      const auto cancelled = weak.lock();
      if (!cancelled) return;
      waiters_.remove(cancelled);
      cancelled->finish(false);
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(bool)>(
      std::move(initiate), asio::use_awaitable);
}

Async<bool> Event::wait_for(Timer& timer, Duration limit) {
  using namespace asio::experimental::awaitable_operators;
  auto first = co_await (wait() || timer.sleep_for(limit));
  co_return first.index() == 0 && std::get<0>(first);
}

}  // namespace atl

#include "base/async/timer.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl {

Async<bool> SystemTimer::sleep_for(Duration duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::max(duration, Duration(0)));
  auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

struct SimTimer::Sleeper {
  Sleeper(const Executor& executor, MonoTime at, uint64_t order)
      : due(at), sequence(order), wake(executor, asio::steady_timer::time_point::max()) {}
  MonoTime due;
  uint64_t sequence;
  asio::steady_timer wake;
  bool done = false;
};

SimTimer::SimTimer() = default;
SimTimer::~SimTimer() = default;

Async<bool> SimTimer::sleep_for(Duration duration) {
  auto sleeper =
      std::make_shared<Sleeper>(co_await asio::this_coro::executor,
                                monotonic() + std::max(duration, Duration(0)), sequence_++);
  sleepers_.push_back(sleeper);
  co_await sleeper->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  std::erase(sleepers_, sleeper);
  co_return sleeper->done;
}

bool SimTimer::advance_to_next(MonoTime limit) {
  std::shared_ptr<Sleeper> first;
  for (const auto& s : sleepers_) {
    if (s->done || s->due > limit) continue;
    if (!first || std::tie(s->due, s->sequence) < std::tie(first->due, first->sequence)) first = s;
  }
  if (!first) return false;
  if (first->due > monotonic()) clock_.advance(first->due - monotonic());
  first->done = true;
  first->wake.cancel();
  return true;
}

void SimTimer::advance(Duration by) {
  const MonoTime target = monotonic() + by;
  while (advance_to_next(target)) {
  }
  if (target > monotonic()) clock_.advance(target - monotonic());
}

}  // namespace atl

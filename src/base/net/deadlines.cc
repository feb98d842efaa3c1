#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/net/deadlines_impl.h"
#include "base/observe/log.h"

namespace atl::net {

void run_in_background(const Executor& executor, Async<void> coroutine) {
  asio::co_spawn(executor, std::move(coroutine), [](std::exception_ptr failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log::error("a background task of the network failed", {{"error", error.what()}});
    }
  });
}

struct Deadlines::State {
  State(Executor ex, Timer& t, Duration g) : executor(std::move(ex)), timer(t), granularity(g) {}

  // The earliest deadline; max: nothing is armed.
  MonoTime earliest() const {
    MonoTime first = MonoTime::max();
    for (const Entry* entry : entries) first = std::min(first, entry->at_);
    return first;
  }

  void fire_due() {
    const MonoTime now = timer.monotonic();
    for (Entry* entry : entries) {
      if (entry->at_ > now) continue;
      entry->at_ = MonoTime::max();
      entry->expired_();
    }
  }

  Executor executor;
  Timer& timer;
  Duration granularity;
  std::list<Entry*> entries;
  Event sooner;
  MonoTime wake_at = MonoTime::max();
  bool running = false;
  bool stopped = false;
};

Deadlines::Deadlines(Executor executor, Timer& timer, Duration granularity)
    : state_(std::make_shared<State>(std::move(executor), timer, granularity)) {}

Deadlines::~Deadlines() {
  state_->stopped = true;
  state_->sooner.notify();
}

MonoTime Deadlines::now() const {
  return state_->timer.monotonic();
}

Async<void> Deadlines::run(std::shared_ptr<State> state) {
  while (!state->stopped) {
    const MonoTime first = state->earliest();
    if (first == MonoTime::max()) break;
    const Duration until = first - state->timer.monotonic();
    state->wake_at = first;
    if (until > Duration(0))
      co_await state->sooner.wait_for(state->timer, std::max(until, state->granularity));
    if (!state->stopped) state->fire_due();
  }
  state->running = false;
}

Deadlines::Entry::Entry(Deadlines& deadlines, std::function<void()> expired)
    : state_(deadlines.state_), expired_(std::move(expired)) {
  place_ = state_->entries.insert(state_->entries.end(), this);
}

Deadlines::Entry::~Entry() {
  state_->entries.erase(place_);
}

void Deadlines::Entry::set_after(Duration wait) {
  const MonoTime now = state_->timer.monotonic();
  set(wait < MonoTime::max() - now ? now + wait : MonoTime::max());
}

void Deadlines::Entry::set(MonoTime at) {
  at_ = at;
  if (state_->stopped || at == MonoTime::max()) return;
  if (!state_->running) {
    state_->running = true;
    state_->wake_at = at;
    run_in_background(state_->executor, run(state_));
  } else if (at + state_->granularity < state_->wake_at) {
    state_->wake_at = at;
    state_->sooner.notify();
  }
}

}  // namespace atl::net

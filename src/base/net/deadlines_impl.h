#pragma once

#include <functional>
#include <list>
#include <memory>

#include "base/async/event.h"
#include "base/async/task.h"
#include "base/async/timer.h"

namespace atl::net {

// Starts a coroutine that owns all it touches and ends by itself when its socket or list is closed.
// For objects whose interface has no stop(); everything else belongs into a TaskGroup.
void run_in_background(const Executor& executor, Async<void> coroutine);

// One coarse timer for many deadlines: arming and moving one costs a store, no timer and no
// wake-up. A coroutine runs only while something is armed, and sleeps until the earliest deadline
// it knows. Owned by a server or a client pool; one executor; fires up to `granularity` late.
class Deadlines {
 public:
  Deadlines(Executor executor, Timer& timer, Duration granularity);
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  MonoTime now() const;

 private:
  struct State;

 public:
  // Calls `expired` once the time has come; disarmed by then. `expired` only wakes coroutines: it
  // makes and ends no entry. Dies before what `expired` touches.
  class Entry {
   public:
    Entry(Deadlines& deadlines, std::function<void()> expired);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    void set(MonoTime at);
    void set_after(Duration wait);
    void clear() { at_ = MonoTime::max(); }
    MonoTime at() const { return at_; }

   private:
    friend struct State;
    std::shared_ptr<State> state_;
    std::function<void()> expired_;
    std::list<Entry*>::iterator place_;
    MonoTime at_ = MonoTime::max();
  };

 private:
  static Async<void> run(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace atl::net

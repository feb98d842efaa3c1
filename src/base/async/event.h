#pragma once

#include <list>
#include <memory>
#include <optional>

#include "base/async/task.h"
#include "base/async/timer.h"

namespace atl {

// A level that coroutines wait for. notify() wakes everybody waiting now. One executor only.
// The owner must outlive the waiters, or call notify() and let them leave first (TaskGroup does).
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void notify();
  // Returns at the next notify() (true) or on cancellation (false).
  Async<bool> wait();
  // The same with a limit; false also when the time passed.
  Async<bool> wait_for(Timer& timer, Duration limit);

 private:
  struct Waiter;
  std::list<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace atl

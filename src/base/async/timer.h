#pragma once

#include <memory>
#include <vector>

#include "base/async/task.h"
#include "base/core/clock.h"

namespace atl {

// Time that can be waited for: the seam through which a whole cluster runs in virtual time.
// Lives as long as the loop; used from the loop's executor only.
class Timer : public Clock {
 public:
  // Returns true when the time has come, false when the wait was cancelled.
  virtual Async<bool> sleep_for(Duration duration) = 0;
};

// The machine's time.
class SystemTimer final : public Timer {
 public:
  WallTime now() const override { return clock_.now(); }
  MonoTime monotonic() const override { return clock_.monotonic(); }
  Async<bool> sleep_for(Duration duration) override;

 private:
  SystemClock clock_;
};

// Virtual time: stands still while anything is runnable; run_until() jumps from wait to wait.
class SimTimer final : public Timer {
 public:
  SimTimer();
  ~SimTimer() override;
  WallTime now() const override { return clock_.now(); }
  MonoTime monotonic() const override { return clock_.monotonic(); }
  Async<bool> sleep_for(Duration duration) override;

  // Wakes the earliest sleeper and moves time to it; false when nobody sleeps before `limit`.
  bool advance_to_next(MonoTime limit);
  // Moves time without waking anybody later than it.
  void advance(Duration by);

 private:
  struct Sleeper;
  FakeClock clock_;
  std::vector<std::shared_ptr<Sleeper>> sleepers_;
  uint64_t sequence_ = 0;
};

}  // namespace atl

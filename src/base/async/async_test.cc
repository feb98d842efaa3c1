#include <gtest/gtest.h>

#include "base/async/blocking_pool.h"
#include "base/async/run.h"
#include "base/async/task_group.h"

namespace atl {
namespace {

using namespace std::chrono_literals;

TEST(SimTimer, AYearPassesAtOnce) {
  asio::io_context loop;
  SimTimer timer;
  const auto result = run_simulated(loop, timer, 24h * 400, [&]() -> Task<> {
    const bool slept = co_await timer.sleep_for(24h * 365);
    EXPECT_TRUE(slept);
    co_return Unit{};
  });
  EXPECT_TRUE(result);
}

TEST(SimTimer, DeadlockIsSeen) {
  asio::io_context loop;
  SimTimer timer;
  Event never;
  auto result = run_simulated(loop, timer, 1h, [&]() -> Task<> {
    co_await never.wait();
    co_return Unit{};
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kInternal);
  never.notify();
  loop.restart();
  loop.poll();
}

TEST(TaskGroup, StopCancelsAndJoins) {
  asio::io_context loop;
  SimTimer timer;
  int ended = 0;
  const auto result = run_simulated(loop, timer, 1h, [&]() -> Task<> {
    TaskGroup group(loop.get_executor());
    for (int i = 0; i < 3; ++i) {
      group.spawn("sleeper", [&]() -> Async<void> {
        const bool slept = co_await timer.sleep_for(24h);
        EXPECT_FALSE(slept);
        ++ended;
      });
    }
    co_await timer.sleep_for(1s);
    co_await group.stop();
    EXPECT_FALSE(group.spawn("late", []() -> Async<void> { co_return; }));
    co_return Unit{};
  });
  EXPECT_TRUE(result);
  EXPECT_EQ(ended, 3);
}

TEST(TaskGroup, OneTaskIsCancelledAlone) {
  asio::io_context loop;
  SimTimer timer;
  std::vector<int> cancelled;
  const auto result = run_simulated(loop, timer, 1h, [&]() -> Task<> {
    TaskGroup group(loop.get_executor());
    const auto sleeper = [&](int id) -> Async<void> {
      const bool slept = co_await timer.sleep_for(24h);
      if (!slept) cancelled.push_back(id);
    };
    group.spawn("first", [&] { return sleeper(1); });
    const auto cancel = group.spawn_cancellable("second", [&] { return sleeper(2); });
    co_await timer.sleep_for(1s);
    cancel();
    co_await timer.sleep_for(1s);
    EXPECT_EQ(cancelled, std::vector<int>{2});
    cancel();  // does nothing any more
    EXPECT_EQ(group.running(), 1u);
    co_await group.stop();
    EXPECT_FALSE(group.spawn_cancellable("late", [&] { return sleeper(3); }));
    co_return Unit{};
  });
  EXPECT_TRUE(result);
  EXPECT_EQ(cancelled, (std::vector<int>{2, 1}));
}

TEST(Event, WakesAllWhoWaitAndLetsTheCancelledGo) {
  asio::io_context loop;
  SimTimer timer;
  std::vector<std::string> seen;
  const auto result = run_simulated(loop, timer, 1h, [&]() -> Task<> {
    TaskGroup group(loop.get_executor());
    auto event = std::make_unique<Event>();
    const auto waiter = [&](std::string name) -> Async<void> {
      const bool notified = co_await event->wait();
      seen.push_back(name + (notified ? " notified" : " cancelled"));
    };
    group.spawn("a", [&] { return waiter("a"); });
    const auto cancel = group.spawn_cancellable("b", [&] { return waiter("b"); });
    group.spawn("c", [&] { return waiter("c"); });
    co_await timer.sleep_for(1s);
    cancel();
    co_await timer.sleep_for(1s);
    EXPECT_EQ(seen, std::vector<std::string>{"b cancelled"});
    event->notify();
    EXPECT_EQ(seen.size(), 1u) << "nobody runs inside notify()";
    co_await timer.sleep_for(1s);
    EXPECT_EQ(seen, (std::vector<std::string>{"b cancelled", "a notified", "c notified"}));
    group.spawn("d", [&] { return waiter("d"); });
    const auto late = group.spawn_cancellable("e", [&] { return waiter("e"); });
    co_await timer.sleep_for(1s);
    event.reset();
    late();  // its event is gone already
    co_await timer.sleep_for(1s);
    EXPECT_EQ(seen.size(), 5u) << "an event that goes away lets its waiters go";
    co_await group.stop();
    co_return Unit{};
  });
  EXPECT_TRUE(result) << result.error().message();
}

TEST(Event, WaitForGivesUpInTime) {
  asio::io_context loop;
  SimTimer timer;
  Event event;
  const auto result = run_simulated(loop, timer, 1h, [&]() -> Task<> {
    const bool first = co_await event.wait_for(timer, 10s);
    EXPECT_FALSE(first);
    TaskGroup group(loop.get_executor());
    group.spawn("notifier", [&]() -> Async<void> {
      co_await timer.sleep_for(1s);
      event.notify();
    });
    const bool second = co_await event.wait_for(timer, 10s);
    EXPECT_TRUE(second);
    co_await group.stop();
    co_return Unit{};
  });
  EXPECT_TRUE(result) << result.error().message();
}

TEST(BlockingPool, ResultComesBack) {
  asio::io_context loop;
  BlockingPool pool(2);
  const auto result = run(loop, [&]() -> Task<> {
    const int n = co_await pool.run([] { return 42; });
    EXPECT_EQ(n, 42);
    co_return Unit{};
  });
  EXPECT_TRUE(result);
}

}  // namespace
}  // namespace atl

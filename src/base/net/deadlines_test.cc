#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/net/deadlines_impl.h"

namespace atl::net {
namespace {

using namespace std::chrono_literals;

TEST(Deadlines, FireOnceInTimeAndCanBeMoved) {
  asio::io_context loop;
  SimTimer timer;
  const auto result = run_simulated(loop, timer, 1h, [&]() -> Task<> {
    Deadlines deadlines(loop.get_executor(), timer, 100ms);
    int early = 0;
    int late = 0;
    int never = 0;
    Deadlines::Entry first(deadlines, [&] { ++early; });
    Deadlines::Entry second(deadlines, [&] { ++late; });
    Deadlines::Entry third(deadlines, [&] { ++never; });
    second.set_after(20s);
    first.set_after(10s);  // sooner than what is waited for
    third.set_after(15s);
    co_await timer.sleep_for(9s);
    EXPECT_EQ(early, 0);
    co_await timer.sleep_for(2s);
    EXPECT_EQ(early, 1);
    third.clear();
    second.set_after(30s);
    co_await timer.sleep_for(29s);
    EXPECT_EQ(late, 0);
    co_await timer.sleep_for(2s);
    EXPECT_EQ(late, 1);
    co_await timer.sleep_for(10min);
    EXPECT_EQ(early, 1);
    EXPECT_EQ(late, 1);
    EXPECT_EQ(never, 0);
    first.set_after(1s);  // everything was idle: it starts again
    co_await timer.sleep_for(2s);
    EXPECT_EQ(early, 2);
    first.set_after(Duration::max());  // does not overflow
    co_await timer.sleep_for(2s);
    EXPECT_EQ(early, 2);
    co_return Unit{};
  });
  EXPECT_TRUE(result) << result.error().message();
  loop.restart();
  loop.poll();
}

}  // namespace
}  // namespace atl::net

#pragma once

#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "api/cache/seams.h"
#include "api/client/fake_client.h"
#include "base/async/run.h"

namespace atl::api {

// A world for tests: one loop, virtual time, a seed, and an API in memory. Nothing in it sleeps.
class FakeWorld {
 public:
  explicit FakeWorld(uint64_t seed = 1) : rng(seed), client(timer, rng) {}

  asio::io_context loop;
  SimTimer timer;
  SeededRng rng;
  FakeClient client;

  Seams seams() { return {loop.get_executor(), &timer, &rng}; }

  // Runs the body to its end; the error's text where it failed or virtual time ran out.
  std::string run(std::function<Task<>()> body, Duration limit = std::chrono::hours(24)) {
    const Result<> result = run_simulated(loop, timer, limit, std::move(body));
    return result ? std::string() : result.error().message();
  }

  // Waits in virtual time until the condition holds; false when it never does within the limit.
  Async<bool> eventually(std::function<bool()> condition,
                         Duration limit = std::chrono::minutes(5)) {
    const MonoTime end = timer.monotonic() + limit;
    while (true) {
      const bool holds = condition();
      if (holds || timer.monotonic() >= end) co_return holds;
      co_await timer.sleep_for(std::chrono::milliseconds(100));
    }
  }
};

}  // namespace atl::api

#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/async/task_group.h"
#include "base/core/check.h"
#include "base/core/rng.h"
#include "store/store.h"

// What the tests of kills, power failures and flipped bits share: writers, and the question whether
// a store holds what was acknowledged.
namespace atl::store {

inline constexpr int kWriters = 8;

// How often a test repeats itself: ATOLL_CRASH_ROUNDS, or what the mode of ./test asks for.
struct Rounds {
  int fast, ci, full;
};
inline int rounds(const Rounds& wanted) {
  if (const char* forced = std::getenv("ATOLL_CRASH_ROUNDS")) return std::atoi(forced);
  const char* mode = std::getenv("ATOLL_TEST_MODE");
  if (!mode || std::string_view(mode) == "fast") return wanted.fast;
  return std::string_view(mode) == "full" ? wanted.full : wanted.ci;
}

// ATOLL_CRASH_SEED for other choices than the usual ones.
inline uint64_t seed(uint64_t usual) {
  const char* wanted = std::getenv("ATOLL_CRASH_SEED");
  return wanted ? std::strtoull(wanted, nullptr, 10) : usual;
}

// A value that tells which write it is of, and whether it is whole.
inline std::string value_of(uint64_t number, size_t size) {
  std::string value = std::to_string(number) + ":";
  value.append(size, char('a' + number % 26));
  return value + ":" + std::to_string(number);
}
// The number of a whole value; 0 of anything else.
inline uint64_t number_of(std::string_view value) {
  uint64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  const size_t frame = 2 * std::to_string(number).size() + 2;
  return value.size() >= frame && value == value_of(number, value.size() - frame) ? number : 0;
}

// The last number that each key was acknowledged with, and the last that was tried.
struct Known {
  std::map<std::string, uint64_t> acknowledged, tried;
};

class Crash : public testing::Test {
 public:
  // In memory where there is room to: no test here asks a real disk to keep anything.
  Crash() {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    folder_ = memory ? "/dev/shm/atoll-crash-XXXXXX" : "/tmp/atoll-crash-XXXXXX";
    CHECK(::mkdtemp(folder_.data()) != nullptr);
  }
  ~Crash() override { std::filesystem::remove_all(folder_); }

  std::string db() const { return folder_ + "/db"; }

  // Writes from several coroutines at a time until something fails or `count` are done.
  static void write_some(asio::io_context& loop, Store& store, Rng& rng, uint64_t& next,
                         uint64_t count,
                         const std::function<void(const std::string&, uint64_t)>& acknowledged,
                         Known* known) {
    const auto done = run(loop, [&]() -> Task<> {
      TaskGroup writers(loop.get_executor());
      atl::Event over;
      uint64_t left = count;
      bool failed = false;
      for (int i = 0; i < kWriters; ++i) {
        writers.spawn("writer", [&, i]() -> Async<void> {
          while (left > 0 && !failed) {
            --left;
            const uint64_t number = next++;
            const std::string key = "/k" + std::to_string(i) + "-" + std::to_string(rng.below(40));
            if (known) known->tried[key] = number;
            const auto event = co_await store.write(
                {key, value_of(number, rng.below(rng.below(20) ? 4'000 : 90'000)), {}});
            if (event) {
              acknowledged(key, number);
            } else {
              failed = true;
            }
          }
          over.notify();
        });
      }
      while (writers.running() > 0) {
        const bool woken = co_await over.wait();
        if (!woken) break;
      }
      co_await writers.stop();
      co_return Unit{};
    });
    EXPECT_TRUE(done.has_value());
  }

  // Everything acknowledged is there, nothing is torn, and the past is a history without holes.
  static testing::AssertionResult holds(asio::io_context& loop, Store& store, const Known& known) {
    std::string wrong;
    const auto done = run(loop, [&]() -> Task<> {
      CO_TRY(const Range all, co_await store.range({}));
      std::map<std::string, uint64_t> found;
      for (const Stored& item : all.items) {
        found[item.key] = number_of(*item.value);
        if (found[item.key] == 0) wrong += item.key + " is torn; ";
      }
      for (const auto& [key, number] : known.acknowledged) {
        const uint64_t last = known.tried.contains(key) ? known.tried.at(key) : number;
        if (found[key] < number || found[key] > last) {
          wrong += key + " was acknowledged as " + std::to_string(number) + ", it is " +
                   std::to_string(found[key]) + "; ";
        }
      }
      const Revision first = store.compacted().next();
      CO_TRY(const auto events, co_await store.history("", store.compacted(), 1'000'000));
      for (size_t i = 0; i < events.size(); ++i) {
        if (events[i].now.modified.value != first.value + i) wrong += "the history has a hole; ";
      }
      if (first.value + events.size() != store.revision().next().value)
        wrong += "the history is short; ";
      co_return Unit{};
    });
    if (!done) return testing::AssertionFailure() << done.error().message();
    return wrong.empty() ? testing::AssertionSuccess() : testing::AssertionFailure() << wrong;
  }

  // Forgets all but the newest revisions, so that many rounds do not read an ever longer past.
  static void forget(asio::io_context& loop, Store& store) {
    constexpr uint64_t kKept = 500;
    if (store.revision().value <= kKept) return;
    const Revision at{store.revision().value - kKept};
    const auto done = run(loop, [&]() -> Task<> { co_return co_await store.compact(at); });
    EXPECT_TRUE(done.has_value());
  }

  std::string folder_;
};

}  // namespace atl::store

#include "base/core/clock.h"

#include <fmt/chrono.h>
#include <gtest/gtest.h>

#include "base/core/rng.h"

namespace atl {
namespace {

// Beside another formatter, over all times that there are.
TEST(Clock, TimesReadAsOthersWriteThem) {
  SeededRng rng(3);
  for (int i = 0; i < 20'000; ++i) {
    const auto seconds = std::chrono::seconds(int64_t(rng.below(18'000'000'000)) - 9'000'000'000);
    const auto nanos = std::chrono::nanoseconds(rng.below(1'000'000'000));
    const WallTime time = WallTime(seconds) + nanos;
    const std::string whole = fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(seconds.count()));
    ASSERT_EQ(rfc3339(time), whole + "Z");
    ASSERT_EQ(rfc3339_micro(time), fmt::format("{}.{:06}Z", whole, nanos.count() / 1000));
    ASSERT_EQ(rfc3339_nano(time), fmt::format("{}.{:09}Z", whole, nanos.count()));
    ASSERT_EQ(parse_rfc3339(rfc3339_nano(time)), time);
  }
}

}  // namespace
}  // namespace atl

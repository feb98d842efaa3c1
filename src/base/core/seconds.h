#pragma once

#include <algorithm>
#include <cstdint>

#include "base/core/clock.h"

namespace atl {

// A hundred years: any time of this century plus or minus it can be counted in nanoseconds.
inline constexpr int64_t kSecondsMax = 3'155'760'000;

// Seconds that somebody wrote, as a duration: what is longer than kSecondsMax (either way) is that
// long, so that arithmetic with it does not overflow.
constexpr Duration seconds_of(int64_t seconds) {
  return std::chrono::seconds(std::clamp(seconds, -kSecondsMax, kSecondsMax));
}

}  // namespace atl

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/core/clock.h"
#include "base/text/json.h"

// Items of lists and whole values as the node reads them. Documents come from outside (the API, a
// file of an older node): a value of another type reads as an empty one, and never throws. Paths
// below a root are read with json::string_at and its kin, which do the same.
namespace atl::node {

inline std::string_view text_of(const json::Value& value) {
  return json::string_at(value, {});
}
// A span of so many seconds: at least none, at most a century (of nanoseconds, three overflow).
inline Duration seconds_of(int64_t number) {
  constexpr int64_t kMost = int64_t(100) * 365 * 24 * 3'600;
  return std::chrono::seconds(std::clamp<int64_t>(number, 0, kMost));
}

inline const json::Object& object_of(const json::Value& value) {
  return json::object_at(value, {});
}

}  // namespace atl::node

#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/core/clock.h"
#include "base/core/seconds.h"
#include "base/text/json.h"

// Items of lists and whole values as the node reads them. Documents come from outside (the API, a
// file of an older node): a value of another type reads as an empty one, and never throws. Paths
// below a root are read with json::string_at and its kin, which do the same.
namespace atl::node {

inline std::string_view text_of(const json::Value& value) {
  return json::string_at(value, {});
}
// A span of so many seconds: never negative, and no longer than base/core/seconds.h has them.
inline Duration span_of_seconds(int64_t number) {
  return std::max(Duration::zero(), seconds_of(number));
}

inline const json::Object& object_of(const json::Value& value) {
  return json::object_at(value, {});
}

}  // namespace atl::node

#pragma once

#include <compare>
#include <cstdint>

namespace atl {

// The store's global counter: every commit gives each of its writes the next one. 0 = none.
struct Revision {
  uint64_t value = 0;
  auto operator<=>(const Revision&) const = default;
  explicit operator bool() const { return value != 0; }
  Revision next() const { return {value + 1}; }
};

}  // namespace atl

#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl {

// An amount as Kubernetes writes it: "100m", "1.5Gi", "2e3". Value type, exact: a whole number of
// nano-units, so sums never drift. Compares by amount; remembers in which way it was written.
class Quantity {
 public:
  enum class Format : uint8_t { kDecimal, kBinary, kExponent };

  Quantity() = default;
  static Quantity of(int64_t units, Format format = Format::kDecimal);
  static Quantity of_milli(int64_t milli);
  // kInvalid: not a quantity, more than 64 characters, or 10^27 units and more. What is finer than
  // a nano-unit is rounded away from zero.
  static Result<Quantity> parse(std::string_view text);

  // The canonical text: the largest suffix without a fraction. "1024Mi" becomes "1Gi".
  std::string text() const;
  // Rounded up, as schedulers and quotas count; the ends of int64 where it does not fit.
  int64_t units() const { return scaled(1); }
  int64_t milli() const { return scaled(1000); }
  double value() const { return static_cast<double>(nano_) / 1e9; }

  bool zero() const { return nano_ == 0; }
  bool negative() const { return nano_ < 0; }
  bool whole() const { return nano_ % kNano == 0; }
  Format format() const { return format_; }

  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  friend Quantity operator+(Quantity a, const Quantity& b) { return a += b; }
  friend Quantity operator-(Quantity a, const Quantity& b) { return a -= b; }
  bool operator==(const Quantity& other) const { return nano_ == other.nano_; }
  std::strong_ordering operator<=>(const Quantity& other) const { return nano_ <=> other.nano_; }

 private:
  using Int = __int128;
  static constexpr Int kNano = 1'000'000'000;
  int64_t scaled(int64_t factor) const;

  Int nano_ = 0;
  Format format_ = Format::kDecimal;
};

}  // namespace atl

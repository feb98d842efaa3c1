#include "base/text/quantity.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace atl {
namespace {

using Int = __int128;
constexpr size_t kMaxText = 64;
constexpr Int power(Int base, int exponent) {
  return exponent == 0 ? 1 : base * power(base, exponent - 1);
}
constexpr Int kMaxNano = power(10, 36);  // 10^27 units: leaves room for sums

struct Suffix {
  std::string_view text;
  int exponent;  // of 10 or of 2
};
constexpr std::array<Suffix, 10> kDecimal = {{{"n", -9},
                                              {"u", -6},
                                              {"m", -3},
                                              {"", 0},
                                              {"k", 3},
                                              {"M", 6},
                                              {"G", 9},
                                              {"T", 12},
                                              {"P", 15},
                                              {"E", 18}}};
constexpr std::array<Suffix, 6> kBinary = {
    {{"Ki", 10}, {"Mi", 20}, {"Gi", 30}, {"Ti", 40}, {"Pi", 50}, {"Ei", 60}}};

Error refuse(std::string_view text) {
  return Error(Code::kInvalid, "not a quantity: \"" + std::string(text.substr(0, kMaxText)) + "\"");
}

// Digits of a number without their point: 1.50 is {150, 2}. Nothing where there are none or too
// many.
struct Mantissa {
  Int digits = 0;
  int decimals = 0;
};
std::optional<Mantissa> read_mantissa(std::string_view text) {
  Mantissa out;
  bool point = false;
  bool any = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    any = true;
    if (out.digits > kMaxNano) {
      if (!point) return std::nullopt;  // too large; finer digits than these do not count
      continue;
    }
    out.digits = out.digits * 10 + (c - '0');
    if (point) ++out.decimals;
  }
  if (!any) return std::nullopt;
  return out;
}

std::optional<int> read_exponent(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.size() > 3) return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

// digits × 10^exponent, what is lost rounded away from zero; nothing past the limit.
std::optional<Int> scale_ten(Int digits, int exponent) {
  if (digits == 0) return 0;
  for (; exponent > 0; --exponent) {
    digits *= 10;
    if (digits > kMaxNano) return std::nullopt;
  }
  bool lost = false;
  for (; exponent < 0 && digits > 0; ++exponent) {
    lost = lost || digits % 10 != 0;
    digits /= 10;
  }
  return digits + (lost ? 1 : 0);
}

std::string text_of(Int value) {
  if (value == 0) return "0";
  std::string out;
  const bool negative = value < 0;
  for (; value != 0; value /= 10)
    out += static_cast<char>('0' + static_cast<int>(value < 0 ? -(value % 10) : value % 10));
  if (negative) out += '-';
  std::ranges::reverse(out);
  return out;
}

}  // namespace

Quantity Quantity::of(int64_t units, Format format) {
  Quantity out;
  out.nano_ = Int{units} * kNano;
  out.format_ = format;
  return out;
}

Quantity Quantity::of_milli(int64_t milli) {
  Quantity out;
  out.nano_ = Int{milli} * (kNano / 1000);
  return out;
}

Result<Quantity> Quantity::parse(std::string_view text) {
  if (text.empty() || text.size() > kMaxText) return refuse(text);
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const size_t end = std::min(rest.find_first_not_of("0123456789."), rest.size());
  const auto mantissa = read_mantissa(rest.substr(0, end));
  if (!mantissa) return refuse(text);
  const std::string_view suffix = rest.substr(end);

  Quantity out;
  std::optional<Int> nano;
  const auto decimal = std::ranges::find(kDecimal, suffix, &Suffix::text);
  const auto binary = std::ranges::find(kBinary, suffix, &Suffix::text);
  if (decimal != kDecimal.end()) {
    nano = scale_ten(mantissa->digits, 9 + decimal->exponent - mantissa->decimals);
  } else if (binary != kBinary.end()) {
    out.format_ = Format::kBinary;
    // By 2^10 at a time, so that the limit is seen before anything overflows.
    std::optional<Int> digits = mantissa->digits;
    for (int left = binary->exponent; left > 0 && digits; left -= 10) {
      if (*digits > kMaxNano) digits.reset();
      if (digits) *digits *= 1024;
    }
    if (digits) nano = scale_ten(*digits, 9 - mantissa->decimals);
  } else if (suffix.starts_with('e') || suffix.starts_with('E')) {
    out.format_ = Format::kExponent;
    const auto exponent = read_exponent(suffix.substr(1));
    if (exponent) nano = scale_ten(mantissa->digits, 9 + *exponent - mantissa->decimals);
  }
  if (!nano || *nano > kMaxNano) return refuse(text);
  out.nano_ = negative ? -*nano : *nano;
  return out;
}

std::string Quantity::text() const {
  if (nano_ == 0) return "0";
  const Int magnitude = nano_ < 0 ? -nano_ : nano_;
  if (format_ == Format::kBinary && magnitude >= 1024 * kNano) {
    Int units = (magnitude + kNano - 1) / kNano;
    size_t steps = 0;
    for (; steps < kBinary.size() && units % 1024 == 0; ++steps) units /= 1024;
    return text_of(nano_ < 0 ? -units : units) +
           std::string(steps == 0 ? "" : kBinary[steps - 1].text);
  }
  Int value = nano_;
  size_t steps = 0;
  for (; steps + 1 < kDecimal.size() && value % 1000 == 0; ++steps) value /= 1000;
  const Suffix& suffix = kDecimal[steps];
  if (format_ == Format::kExponent && suffix.exponent != 0)
    return text_of(value) + "e" + std::to_string(suffix.exponent);
  return text_of(value) + std::string(suffix.text);
}

int64_t Quantity::scaled(int64_t factor) const {
  const Int divisor = kNano / factor;
  Int value = nano_ / divisor;
  if (nano_ % divisor > 0) ++value;
  constexpr Int kLow = std::numeric_limits<int64_t>::min();
  constexpr Int kHigh = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp(value, kLow, kHigh));
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (zero()) format_ = other.format_;
  nano_ += other.nano_;
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  if (zero()) format_ = other.format_;
  nano_ -= other.nano_;
  return *this;
}

}  // namespace atl

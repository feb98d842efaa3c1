#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/codec/duration_impl.h"

namespace atl::api {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// 1.5 with a unit: the fraction without zeros at its end.
std::string with_fraction(uint64_t amount, uint64_t unit, std::string_view name) {
  std::string text = fmt::format("{}", amount / unit);
  if (uint64_t rest = amount % unit; rest != 0) {
    std::string digits = fmt::format("{}", unit + rest).substr(1);  // with leading zeros
    while (digits.ends_with('0')) digits.pop_back();
    text += "." + digits;
  }
  return text + std::string(name);
}

}  // namespace

std::string duration_text(int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  const bool negative = nanoseconds < 0;
  const uint64_t amount = negative ? 0 - uint64_t(nanoseconds) : uint64_t(nanoseconds);
  std::string text = negative ? "-" : "";
  if (amount < 1000) return text + fmt::format("{}ns", amount);
  if (amount < 1'000'000) return text + with_fraction(amount, 1000, "µs");
  if (amount < uint64_t(kSecond)) return text + with_fraction(amount, 1'000'000, "ms");
  const uint64_t hours = amount / (3600 * uint64_t(kSecond));
  const uint64_t minutes = amount / (60 * uint64_t(kSecond)) % 60;
  if (hours != 0) text += fmt::format("{}h", hours);
  if (hours != 0 || minutes != 0) text += fmt::format("{}m", minutes);
  return text + with_fraction(amount % (60 * uint64_t(kSecond)), uint64_t(kSecond), "s");
}

std::optional<int64_t> parse_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  static constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                                    {"s", 1e9}, {"m", 6e10}, {"h", 3.6e12}};
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, ec] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (ec != std::errc() || text.front() == '-') return std::nullopt;
    text.remove_prefix(size_t(end - text.data()));
    const size_t length = std::min(text.find_first_of("0123456789."), text.size());
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& u) {
      return u.name == text.substr(0, length);
    });
    if (unit == std::end(kUnits)) return std::nullopt;
    total += number * unit->nanoseconds;
    text.remove_prefix(length);
  }
  if (!(total < 9.2e18)) return std::nullopt;
  return int64_t(std::llround(negative ? -total : total));
}

}  // namespace atl::api

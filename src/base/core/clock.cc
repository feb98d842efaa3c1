#include "base/core/clock.h"

#include <cstdint>
#include <utility>

namespace atl {
namespace {

struct Civil {
  int year;
  unsigned month, day, hour, minute, second;
  uint32_t nanos;
};

Civil to_civil(WallTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{days};
  const auto rest = std::chrono::hh_mm_ss(time - days);
  return {
      int(date.year()),
      unsigned(date.month()),
      unsigned(date.day()),
      unsigned(rest.hours().count()),
      unsigned(rest.minutes().count()),
      unsigned(rest.seconds().count()),
      uint32_t(std::chrono::duration_cast<std::chrono::nanoseconds>(rest.subseconds()).count())};
}

void append_digits(std::string& out, uint32_t value, size_t width) {
  out.resize(out.size() + width);
  for (size_t i = 1; i <= width; ++i, value /= 10) out[out.size() - i] = char('0' + value % 10);
}

// By hand: every write has several, and a format string takes five times as long. WallTime ends in
// 2262, so that a year has four digits.
std::string seconds_text(const Civil& t) {
  std::string out;
  out.reserve(32);
  append_digits(out, uint32_t(t.year), 4);
  const std::pair<char, unsigned> parts[] = {
      {'-', t.month}, {'-', t.day}, {'T', t.hour}, {':', t.minute}, {':', t.second}};
  for (const auto& [before, value] : parts) {
    out += before;
    append_digits(out, value, 2);
  }
  return out;
}

std::string with_fraction(const Civil& t, uint32_t value, size_t width) {
  std::string out = seconds_text(t);
  out += '.';
  append_digits(out, value, width);
  out += 'Z';
  return out;
}

// Reads exactly `width` digits.
std::optional<unsigned> digits(std::string_view& text, size_t width) {
  if (text.size() < width) return std::nullopt;
  unsigned value = 0;
  for (size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + unsigned(text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool eat(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456789" → nanoseconds; digits past the ninth are dropped.
std::optional<uint32_t> fraction(std::string_view& text) {
  if (!eat(text, ".")) return 0;
  uint32_t nanos = 0;
  size_t seen = 0;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    if (seen < 9) nanos = nanos * 10 + uint32_t(text[0] - '0');
    ++seen;
    text.remove_prefix(1);
  }
  if (seen == 0) return std::nullopt;
  for (; seen < 9; ++seen) nanos *= 10;
  return nanos;
}

// "Z", "z" or "+hh:mm" at the end of the text.
std::optional<std::chrono::minutes> offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.size() != 6) return std::nullopt;
  const bool west = text[0] == '-';
  if (!eat(text, "+-")) return std::nullopt;
  const auto hours = digits(text, 2);
  if (!hours || !eat(text, ":")) return std::nullopt;
  const auto minutes = digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes total(*hours * 60 + *minutes);
  return west ? -total : total;
}

}  // namespace

WallTime SystemClock::now() const {
  return std::chrono::system_clock::now();
}
MonoTime SystemClock::monotonic() const {
  return std::chrono::steady_clock::now();
}

std::string rfc3339(WallTime time) {
  return seconds_text(to_civil(time)) + "Z";
}

std::string rfc3339_micro(WallTime time) {
  const Civil t = to_civil(time);
  return with_fraction(t, t.nanos / 1000, 6);
}

std::string rfc3339_nano(WallTime time) {
  const Civil t = to_civil(time);
  return with_fraction(t, t.nanos, 9);
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto year = digits(text, 4);
  if (!year || !eat(text, "-")) return std::nullopt;
  const auto month = digits(text, 2);
  if (!month || !eat(text, "-")) return std::nullopt;
  const auto day = digits(text, 2);
  if (!day || !eat(text, "Tt ")) return std::nullopt;
  const auto hour = digits(text, 2);
  if (!hour || !eat(text, ":")) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || !eat(text, ":")) return std::nullopt;
  const auto second = digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto nanos = fraction(text);
  if (!nanos) return std::nullopt;
  const auto zone = offset(text);
  const std::chrono::year_month_day date{std::chrono::year(int(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  if (!zone || !date.ok()) return std::nullopt;
  // Nanoseconds in 64 bits end in the year 2262. Times beyond are taken for the last that leaves
  // room to add to, or the first: long past and never are what they mean.
  if (*year > 2261) return WallTime(std::chrono::sys_days(std::chrono::year(2261) / 1 / 1));
  if (*year < 1678) return WallTime(std::chrono::sys_days(std::chrono::year(1679) / 1 / 1));
  const auto days = std::chrono::sys_days(date);
  return WallTime(days) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + std::chrono::nanoseconds(*nanos) - *zone;
}

}  // namespace atl

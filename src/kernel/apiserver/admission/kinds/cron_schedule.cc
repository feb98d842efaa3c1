#include "kernel/apiserver/admission/kinds/cron_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

namespace atl::apiserver {
namespace {

struct Field {
  std::string_view name;
  int low, high;
  std::span<const std::string_view> words;  // names of the numbers from `low` on
};

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<Field, 5> kFields = {{{"minute", 0, 59, {}},
                                           {"hour", 0, 23, {}},
                                           {"day of month", 1, 31, {}},
                                           {"month", 1, 12, kMonths},
                                           {"day of week", 0, 6, kDays}}};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = text.find_first_of(separators);
    if (end != 0) out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text = text.substr(end + 1);
  }
  return out;
}

std::optional<int> read_number(std::string_view text, const Field& field) {
  for (size_t i = 0; i < field.words.size(); ++i) {
    const auto same = [](char a, char b) {
      return std::tolower(static_cast<unsigned char>(a)) == b;
    };
    if (std::ranges::equal(text, field.words[i], same)) return field.low + static_cast<int>(i);
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "*", "?", "5", "1-5", each with an optional "/step".
std::string check_part(std::string_view part, const Field& field) {
  const size_t slash = part.find('/');
  const std::string_view range = part.substr(0, slash);
  if (slash != std::string_view::npos) {
    const auto step = read_number(part.substr(slash + 1), {field.name, 0, 0, {}});
    if (!step || *step <= 0)
      return fmt::format("{}: the step in \"{}\" must be a positive number", field.name, part);
  }
  if (range == "*" || range == "?") return {};
  const size_t dash = range.find('-');
  const auto low = read_number(range.substr(0, dash), field);
  const auto high =
      dash == std::string_view::npos ? low : read_number(range.substr(dash + 1), field);
  if (!low || !high) return fmt::format("{}: failed to parse \"{}\"", field.name, part);
  if (*low < field.low || *high > field.high) {
    return fmt::format("{}: \"{}\" is not within {} to {}", field.name, part, field.low,
                       field.high);
  }
  if (*low > *high)
    return fmt::format("{}: beginning of range ({}) beyond end of range ({})", field.name, *low,
                       *high);
  return {};
}

// A Go duration of whole hours, minutes and seconds.
bool is_duration(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const size_t digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos) return false;
    if (std::string_view("hms").find(text[digits]) == std::string_view::npos) return false;
    text = text.substr(digits + 1);
  }
  return true;
}

std::string check_descriptor(std::string_view schedule) {
  for (const std::string_view known :
       {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}) {
    if (schedule == known) return {};
  }
  constexpr std::string_view kEvery = "@every ";
  if (schedule.starts_with(kEvery) && is_duration(schedule.substr(kEvery.size()))) return {};
  return fmt::format("unrecognized descriptor: {}", schedule);
}

}  // namespace

std::string check_cron_schedule(std::string_view schedule) {
  if (schedule.find("TZ") != std::string_view::npos) {
    return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
  }
  if (schedule.starts_with('@')) return check_descriptor(schedule);
  const std::vector<std::string_view> fields = split(schedule, " \t");
  if (fields.size() != kFields.size()) {
    return fmt::format("expected exactly 5 fields, found {}: [{}]", fields.size(), schedule);
  }
  for (size_t i = 0; i < kFields.size(); ++i) {
    const std::vector<std::string_view> parts = split(fields[i], ",");
    if (parts.empty()) return fmt::format("{}: failed to parse \"{}\"", kFields[i].name, fields[i]);
    for (const std::string_view part : parts) {
      if (std::string why = check_part(part, kFields[i]); !why.empty()) return why;
    }
  }
  return {};
}

}  // namespace atl::apiserver

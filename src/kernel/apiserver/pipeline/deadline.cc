#include "kernel/apiserver/pipeline/deadline.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace atl::apiserver {
namespace {

struct TimeUnit {
  std::string_view name;
  double seconds;
};
constexpr TimeUnit kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6}, {"μs", 1e-6},
                               {"ms", 1e-3}, {"s", 1},     {"m", 60},    {"h", 3600}};

// Go's duration text: numbers with units, "1m30s", "1.5h", "-1s", "0". In seconds.
std::optional<double> parse_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double number = 0;
    const auto end =
        std::from_chars(text.data(), text.data() + digits, number, std::chars_format::fixed);
    if (end.ec != std::errc() || end.ptr != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    const size_t length = std::min(text.find_first_of("0123456789."), text.size());
    const auto unit = std::ranges::find(kUnits, text.substr(0, length), &TimeUnit::name);
    if (unit == std::end(kUnits)) return std::nullopt;
    total += number * unit->seconds;
    text.remove_prefix(length);
  }
  return negative ? -total : total;
}

Duration bounded(double seconds) {
  if (!(seconds > 0) || seconds >= std::chrono::duration<double>(kRequestWithin).count())
    return kRequestWithin;
  return std::chrono::ceil<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

Result<Duration> request_deadline(const net::Query& query, const RequestInfo& info) {
  Duration limit = kRequestWithin;
  if (const std::string_view text = query.get("timeout"); !text.empty()) {
    const auto seconds = parse_duration(text);
    if (!seconds) {
      return Error(
          Code::kBadRequest,
          fmt::format(
              "invalid timeout specified in the request URL - time: invalid duration \"{}\"",
              text));
    }
    limit = bounded(*seconds);
  }
  const std::string_view text = query.get("timeoutSeconds");
  if (text.empty() || info.verb != "list") return limit;
  int64_t seconds = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return Error(Code::kBadRequest, fmt::format("timeoutSeconds: \"{}\" is not a number", text));
  }
  return std::min(limit, bounded(double(seconds)));
}

}  // namespace atl::apiserver

#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "cli/selection.h"
#include "cli/verbs.h"

namespace atl::cli {
namespace {

// "90s", "5m", "2h" → seconds.
Result<int64_t> seconds_of(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, size_t(text.data() + text.size() - end));
  if (error == std::errc() && number > 0) {
    if (unit == "s" || unit.empty()) return number;
    if (unit == "m") return number * 60;
    if (unit == "h") return number * 3600;
  }
  return Error(Code::kInvalid,
               "--since takes a duration such as 90s, 5m or 2h, not \"" + text + "\"");
}

}  // namespace

Result<> logs(const Common& common, const LogsOptions& options) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string pod, choose_pod(*session, options.pod));
  std::string target = fmt::format(
      "/api/v1/namespaces/{}/pods/{}/log?follow={}&previous={}&timestamps={}",
      segment(session->ns()), segment(pod), options.follow, options.previous, options.timestamps);
  if (!options.container.empty()) target += "&container=" + net::percent_encode(options.container);
  if (options.tail >= 0) target += fmt::format("&tailLines={}", options.tail);
  if (!options.since.empty()) {
    TRY(const int64_t seconds, seconds_of(options.since));
    target += fmt::format("&sinceSeconds={}", seconds);
  }
  return session->stream(target, "*/*", [](std::string_view piece) {
    const bool written = std::fwrite(piece.data(), 1, piece.size(), stdout) == piece.size();
    std::fflush(stdout);
    return written;
  });
}

}  // namespace atl::cli

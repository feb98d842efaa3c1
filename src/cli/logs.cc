#include <fmt/format.h>

#include <cstdio>

#include "cli/selection.h"
#include "cli/verbs.h"

namespace atl::cli {
Result<> logs(const Common& common, const LogsOptions& options) {
  TRY(const auto session, Session::open(common));
  TRY(const std::string pod, choose_pod(*session, options.pod));
  std::string target = fmt::format(
      "/api/v1/namespaces/{}/pods/{}/log?follow={}&previous={}&timestamps={}",
      segment(session->ns()), segment(pod), options.follow, options.previous, options.timestamps);
  if (!options.container.empty()) target += "&container=" + net::percent_encode(options.container);
  if (options.tail >= 0) target += fmt::format("&tailLines={}", options.tail);
  if (options.since_seconds > 0) target += fmt::format("&sinceSeconds={}", options.since_seconds);
  return session->stream(target, "*/*", [](std::string_view piece) {
    const bool written = std::fwrite(piece.data(), 1, piece.size(), stdout) == piece.size();
    std::fflush(stdout);
    return written;
  });
}

}  // namespace atl::cli

#include "kernel/apiserver/pipeline/health.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/observe/log.h"

namespace atl::apiserver {

void Health::add(std::string name, Of of, Check check) {
  checks_.push_back({std::move(name), of, std::move(check)});
}

Task<bool> Health::serve(Exchange& exchange) const {
  std::string_view path = exchange.info.path;
  const size_t slash = path.find('/', 1);
  const std::string root(path.substr(1, slash == std::string_view::npos ? slash : slash - 1));
  if (root != "healthz" && root != "livez" && root != "readyz") co_return false;
  const std::string only =
      slash == std::string_view::npos ? "" : std::string(path.substr(slash + 1));
  const auto excluded = exchange.query.all("exclude");
  std::string report;
  bool healthy = true, found = only.empty();
  for (const Entry& entry : checks_) {
    if (entry.of == Of::kReadiness && root != "readyz") continue;
    if (!only.empty() && entry.name != only) continue;
    found = true;
    if (std::find(excluded.begin(), excluded.end(), entry.name) != excluded.end()) {
      report += fmt::format("[+]{} excluded: ok\n", entry.name);
      continue;
    }
    const Result<> outcome = entry.check();
    if (outcome) {
      report += fmt::format("[+]{} ok\n", entry.name);
      continue;
    }
    healthy = false;
    log::warn("health check failed", {{"check", entry.name}, {"error", outcome.error()}});
    report += fmt::format("[-]{} failed: reason withheld\n", entry.name);
  }
  if (!found) co_return false;
  exchange.headers.set("x-content-type-options", "nosniff");
  std::string body = "ok";
  if (!healthy) {
    body = report + fmt::format("{} check failed\n", root);
  } else if (exchange.query.has("verbose")) {
    body = report + fmt::format("{} check passed\n", root);
  }
  CO_TRY_OK(
      co_await exchange.reply(healthy ? 200 : 500, "text/plain; charset=utf-8", std::move(body)));
  co_return true;
}

}  // namespace atl::apiserver

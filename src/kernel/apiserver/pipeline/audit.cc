#include "kernel/apiserver/pipeline/audit.h"

#include <algorithm>

#include "base/observe/log.h"

namespace atl::apiserver {
namespace {
constexpr size_t kAuditIdMax = 64;
}

std::string audit_id_of(const net::Headers& headers, Rng& rng) {
  const std::string_view given = headers.get("audit-id");
  const bool fits = !given.empty() && given.size() <= kAuditIdMax &&
                    std::all_of(given.begin(), given.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || c == '-';
                    });
  return fits ? std::string(given) : rng.uuid();
}

void audit(const Exchange& exchange, MonoTime now) {
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now - exchange.begun).count();
  log::debug("request", {{"audit_id", exchange.audit_id},
                         {"user", exchange.user ? exchange.user->name : std::string()},
                         {"verb", exchange.info.verb},
                         {"path", exchange.info.path},
                         {"status", exchange.status()},
                         {"micros", micros},
                         {"peer", exchange.http.peer.address}});
}

}  // namespace atl::apiserver

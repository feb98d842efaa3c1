#include "gateway/options.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

namespace atl::gateway {
namespace {

// HAProxy refuses to start with more than the limit of open files allows: two for each connection.
uint32_t connections_within_limits() {
  constexpr uint64_t kReserve = 500;
  constexpr uint64_t kMost = 20'000;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1000;
  const uint64_t files = std::max<uint64_t>(limit.rlim_max, 2 * kReserve);
  return uint32_t(std::min(kMost, (files - kReserve) / 2));
}

}  // namespace

Result<Options> Options::from(const io::Layout& layout, const io::Config& config) {
  Options out;
  out.folder = layout.gateway_data();
  TRY(out.http_port, config.port("HTTP_PORT"));
  TRY(out.https_port, config.port("HTTPS_PORT"));
  if (const std::string link = config.get("LINK_IP"); !link.empty()) out.addresses.push_back(link);
  TRY(const std::vector<std::string> more, config.addresses("GATEWAY_ADDRESSES"));
  std::ranges::copy_if(more, std::back_inserter(out.addresses), [&](const std::string& address) {
    return std::ranges::find(out.addresses, address) == out.addresses.end();
  });
  if (!more.empty()) out.status_address = more.front();
  const std::string body = config.get("GATEWAY_MAX_BODY_BYTES");
  const auto [end, error] =
      std::from_chars(body.data(), body.data() + body.size(), out.max_body_bytes);
  if (!body.empty() && (error != std::errc() || end != body.data() + body.size())) {
    return Error(
        Code::kInvalid,
        fmt::format("GATEWAY_MAX_BODY_BYTES={} in atoll.conf is not a number of bytes", body));
  }
  out.max_connections = connections_within_limits();
  out.supervise_socket = layout.supervise_socket();
  if (out.admin_socket().size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(Code::kInvalid,
                 fmt::format("the path {} is too long for a socket; use a shorter --home",
                             out.admin_socket()));
  }
  return out;
}

}  // namespace atl::gateway

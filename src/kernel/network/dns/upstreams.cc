#include "kernel/network/dns/upstreams.h"

#include <arpa/inet.h>

#include <sstream>

namespace atl::network::dns {
namespace {

constexpr size_t kMostUpstreams = 3;

bool is_address(const std::string& text) {
  in6_addr parsed{};
  return inet_pton(AF_INET, text.c_str(), &parsed) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &parsed) == 1;
}

}  // namespace

std::vector<Upstream> parse_resolv_conf(std::string_view text, Ipv4 self) {
  std::vector<Upstream> out;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line) && out.size() < kMostUpstreams;) {
    std::istringstream words(line);
    std::string keyword, address;
    words >> keyword >> address;
    // "fe80::1%eth0" is left out: a link-local resolver needs an interface that may be gone
    // tomorrow.
    if (keyword != "nameserver" || !is_address(address) || address == self.text()) continue;
    out.push_back({address});
  }
  return out;
}

}  // namespace atl::network::dns

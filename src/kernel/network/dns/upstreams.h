#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/network/address.h"

namespace atl::network::dns {

struct Upstream {
  std::string address;  // IPv4 or IPv6
  uint16_t port = 53;
  bool operator==(const Upstream&) const = default;
};

// The "nameserver" lines of a resolv.conf, at most three as in glibc, without `self` (that would be
// a question to ourselves). Anything else in the file is for stub resolvers.
std::vector<Upstream> parse_resolv_conf(std::string_view text, Ipv4 self);

}  // namespace atl::network::dns

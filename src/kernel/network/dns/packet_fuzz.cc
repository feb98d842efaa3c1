#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "kernel/network/dns/zone.h"

// Any bytes as a query from a pod, and as a reply from a server elsewhere: no crash, no reply
// longer than its limit, and a query that was read can be answered.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl::network;
  static const dns::Zone* zone = [] {
    Options options;
    options.pods = *Ipv4Range::parse("10.42.0.0/16");
    options.services = *Ipv4Range::parse("10.96.0.0/16");
    auto* out = new dns::Zone(options);
    out->set_service({.key = {"default", "web"}, .cluster_ips = {*Ipv4::parse("10.96.0.7")}});
    return out;
  }();
  const std::span<const uint8_t> packet(data, size);
  const auto query = dns::parse_query(packet);
  if (!query) {
    (void)dns::refusal(packet, dns::Rcode::kFormat);
  } else if (zone->owns(query->lower)) {
    const dns::Reply reply = zone->answer(*query).reply;
    if (dns::encode(*query, reply, query->udp_bytes).size() > query->udp_bytes) std::abort();
  }
  dns::Query asked{.id = 0x1234, .name = "example.org", .lower = "example.org"};
  (void)dns::inspect_reply(asked, packet);
  (void)dns::reuse_reply(asked, packet, 3, dns::kPlainUdpBytes);
  (void)dns::join_replies(asked, {}, packet, dns::kPlainUdpBytes);
  return 0;
}

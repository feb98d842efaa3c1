#include "kernel/network/options.h"

#include <fmt/format.h>

#include <algorithm>

namespace atl::network {
namespace {

Result<Ipv4Range> range(const io::Config& config, std::string_view key) {
  TRY(const std::string text, config.require(key));
  auto out = Ipv4Range::parse(text);
  if (!out) return std::move(out).error().during(std::string(key) + " in atoll.conf");
  return out;
}

Result<Ipv4> address(const io::Config& config, std::string_view key) {
  TRY(const std::string text, config.require(key));
  auto out = Ipv4::parse(text);
  if (!out) return std::move(out).error().during(std::string(key) + " in atoll.conf");
  return out;
}

// Loopback, and what the key names besides.
Result<std::vector<Ipv4>> addresses(const io::Config& config, std::string_view key) {
  TRY(std::vector<std::string> words, config.addresses(key));
  words.insert(words.begin(), "127.0.0.1");
  std::vector<Ipv4> out;
  for (const std::string& word : words) {
    auto ip = Ipv4::parse(word);
    if (!ip) return std::move(ip).error().during(std::string(key) + " in atoll.conf");
    if (std::ranges::find(out, *ip) == out.end()) out.push_back(*ip);
  }
  return out;
}

}  // namespace

std::string Options::state_folder(const io::Layout& layout) {
  return layout.agent_data() + "/network";
}

Result<Options> Options::from(const io::Layout& layout, const io::Config& config) {
  Options out;
  out.instance = layout.instance;
  out.state = state_folder(layout);
  TRY(out.pods, range(config, "POD_CIDR"));
  TRY(out.services, range(config, "SERVICE_CIDR"));
  TRY(out.link_ip, address(config, "LINK_IP"));
  TRY(out.dns_ip, address(config, "DNS_IP"));
  TRY(out.api_port, config.port("API_PORT"));
  out.cluster_domain = config.get("CLUSTER_DOMAIN", "cluster.local");
  TRY(out.node_port_addresses, addresses(config, "NODE_PORT_ADDRESSES"));
  const std::string metadata = config.get("METADATA_FROM_PODS", "deny");
  if (metadata != "allow" && metadata != "deny") {
    return Error(Code::kInvalid,
                 "METADATA_FROM_PODS in atoll.conf is allow or deny, not " + metadata);
  }
  out.metadata_from_pods = metadata == "allow";
  out.reserved_ports = {out.api_port};
  for (const auto* key : {"HTTP_PORT", "HTTPS_PORT"}) {
    if (config.get(key).empty()) continue;
    TRY(const uint16_t port, config.port(key));
    out.reserved_ports.push_back(port);
  }
  if (out.pods.overlaps(out.services)) {
    return Error(Code::kInvalid,
                 fmt::format("POD_CIDR {} and SERVICE_CIDR {} in atoll.conf overlap",
                             out.pods.text(), out.services.text()));
  }
  if (!out.services.contains(out.dns_ip)) {
    return Error(Code::kInvalid, fmt::format("DNS_IP {} in atoll.conf is outside SERVICE_CIDR {}",
                                             out.dns_ip.text(), out.services.text()));
  }
  return out;
}

uint32_t Options::tag() const {
  uint32_t hash = 2166136261u;  // FNV-1a, as io::Layout
  for (const char c : instance) hash = (hash ^ uint8_t(c)) * 16777619u;
  return hash & 0xffffff;
}

std::string Options::link_name(Ipv4 pod) const {
  return fmt::format("v{:06x}{:08x}", tag(), pod.value());
}

}  // namespace atl::network

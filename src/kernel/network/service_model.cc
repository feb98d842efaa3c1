#include "kernel/network/service_model.h"

#include <optional>

#include "base/text/json.h"

namespace atl::network {
namespace {

std::optional<Protocol> protocol_of(const json::Value& port) {
  const std::string_view text = json::string_at(port, {"protocol"}, "TCP");
  if (text == "TCP") return Protocol::kTcp;
  if (text == "UDP") return Protocol::kUdp;
  return std::nullopt;
}

uint16_t port_at(const json::Value& value, json::Path path) {
  const int64_t number = json::int_at(value, path);
  return number > 0 && number < 65536 ? uint16_t(number) : uint16_t(0);
}

Endpoint endpoint_of(const json::Value& value, Ipv4 ip) {
  Endpoint out{.ip = ip, .ready = json::bool_at(value, {"conditions", "ready"}, true)};
  out.hostname = json::string_at(value, {"hostname"});
  if (json::string_at(value, {"targetRef", "kind"}) == "Pod") {
    out.pod = json::string_at(value, {"targetRef", "name"});
  }
  return out;
}

}  // namespace

std::string_view name(Protocol protocol) {
  return protocol == Protocol::kTcp ? "tcp" : "udp";
}

ServiceInfo service_info(const api::Object& object) {
  const json::Value document = object.parse();
  ServiceInfo out{.key = object.key()};
  const std::string_view type = json::string_at(document, {"spec", "type"}, "ClusterIP");
  if (type == "ExternalName") {
    out.external_name = json::string_at(document, {"spec", "externalName"});
    return out;
  }
  const std::string_view first = json::string_at(document, {"spec", "clusterIP"});
  out.headless = first == "None";
  if (const auto ip = Ipv4::parse(first)) out.cluster_ips.push_back(*ip);
  for (const json::Value& more : json::array_at(document, {"spec", "clusterIPs"})) {
    if (!more.is_string() || std::string_view(more.get_string()) == first) continue;
    if (const auto ip = Ipv4::parse(more.get_string())) out.cluster_ips.push_back(*ip);
  }
  out.sticky = json::string_at(document, {"spec", "sessionAffinity"}) == "ClientIP";
  for (const json::Value& port : json::array_at(document, {"spec", "ports"})) {
    const auto protocol = protocol_of(port);
    const uint16_t number = port_at(port, {"port"});
    if (!protocol || number == 0) continue;
    out.ports.push_back({.name = std::string(json::string_at(port, {"name"})),
                         .protocol = *protocol,
                         .port = number,
                         .node_port = port_at(port, {"nodePort"})});
  }
  return out;
}

SliceInfo slice_info(const api::Object& object) {
  SliceInfo out;
  const std::string_view service = api::label(object.header().labels, "kubernetes.io/service-name");
  out.service = {object.ns(), std::string(service)};
  const json::Value document = object.parse();
  if (json::string_at(document, {"addressType"}) != "IPv4") return out;
  for (const json::Value& endpoint : json::array_at(document, {"endpoints"})) {
    for (const json::Value& address : json::array_at(endpoint, {"addresses"})) {
      if (!address.is_string()) continue;
      const auto ip = Ipv4::parse(address.get_string());
      // Whoever may write slices must not open the host's own loopback or link to pods and outside.
      if (ip && ip->of_a_host()) out.endpoints.push_back(endpoint_of(endpoint, *ip));
    }
  }
  for (const json::Value& port : json::array_at(document, {"ports"})) {
    const auto protocol = protocol_of(port);
    if (!protocol) continue;
    out.ports.push_back({.name = std::string(json::string_at(port, {"name"})),
                         .protocol = *protocol,
                         .port = port_at(port, {"port"})});
  }
  return out;
}

}  // namespace atl::network

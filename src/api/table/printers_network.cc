#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "api/table/printers_impl.h"

// Services, ingresses, endpoints, network policies, addresses.
namespace atl::api::printers {
namespace {

using json::array_at;
using json::find;
using json::int_at;
using json::string_at;

constexpr size_t kEndpointsShown = 3;

// Addresses or names under which a load balancer can be reached, sorted.
std::vector<std::string> balancer_addresses(const json::Value& document) {
  std::set<std::string> found;
  for (const json::Value& ingress : array_at(document, {"status", "loadBalancer", "ingress"})) {
    const std::string_view ip = string_at(ingress, {"ip"});
    const std::string_view address = ip.empty() ? string_at(ingress, {"hostname"}) : ip;
    if (!address.empty()) found.emplace(address);
  }
  return {found.begin(), found.end()};
}

json::Value external_ip(const json::Value& service, WallTime) {
  const std::string_view type = string_at(service, {"spec", "type"});
  const std::string own = joined(array_at(service, {"spec", "externalIPs"}));
  if (type == "ExternalName") return text(string_at(service, {"spec", "externalName"}));
  if (type == "ClusterIP" || type == "NodePort") return text_or(own, kNone);
  if (type != "LoadBalancer") return text(kUnknown);
  std::string all = fmt::format("{}", fmt::join(balancer_addresses(service), ","));
  if (!all.empty() && !own.empty()) all += ",";
  return text_or(all + own, "<pending>");
}

json::Value cluster_ip(const json::Value& service, WallTime) {
  const json::Array& ips = array_at(service, {"spec", "clusterIPs"});
  const std::string first = joined(ips.empty() ? ips : json::Array{ips[0]});
  return text_or(
      first.empty() ? string_at(service, {"spec", "clusterIP"}) : std::string_view(first), kNone);
}

json::Value service_ports(const json::Value& service, WallTime) {
  std::vector<std::string> pieces;
  for (const json::Value& port : array_at(service, {"spec", "ports"})) {
    const int64_t node_port = int_at(port, {"nodePort"});
    const std::string node = node_port > 0 ? fmt::format(":{}", node_port) : "";
    pieces.push_back(
        fmt::format("{}{}/{}", int_at(port, {"port"}), node, string_at(port, {"protocol"})));
  }
  return text_or(fmt::format("{}", fmt::join(pieces, ",")), kNone);
}

json::Value ingress_hosts(const json::Value& ingress, WallTime) {
  const json::Array& rules = array_at(ingress, {"spec", "rules"});
  std::vector<std::string> hosts;
  bool more = false;
  for (const json::Value& rule : rules) {
    const std::string_view host = string_at(rule, {"host"});
    more = more || hosts.size() == kEndpointsShown;
    if (!more && !host.empty()) hosts.emplace_back(host);
  }
  if (hosts.empty()) return text("*");
  const std::string shown = fmt::format("{}", fmt::join(hosts, ","));
  return text(more ? fmt::format("{} + {} more...", shown, rules.size() - kEndpointsShown) : shown);
}

json::Value class_parameters(const json::Value& ingress_class, WallTime) {
  if (!find(ingress_class, {"spec", "parameters"})) return text(kNone);
  const std::string_view group = string_at(ingress_class, {"spec", "parameters", "apiGroup"});
  return text(fmt::format("{}{}{}/{}", string_at(ingress_class, {"spec", "parameters", "kind"}),
                          group.empty() ? "" : ".", group,
                          string_at(ingress_class, {"spec", "parameters", "name"})));
}

// "10.0.0.1:80", with brackets around addresses that hold colons.
std::string host_port(std::string_view address, int64_t port) {
  return address.find(':') == address.npos ? fmt::format("{}:{}", address, port)
                                           : fmt::format("[{}]:{}", address, port);
}

json::Value endpoints(const json::Value& document, WallTime) {
  const json::Array& subsets = array_at(document, {"subsets"});
  if (subsets.empty()) return text(kNone);
  std::vector<std::string> pieces;
  for (const json::Value& subset : subsets) {
    const json::Array& addresses = array_at(subset, {"addresses"});
    const json::Array& ports = array_at(subset, {"ports"});
    for (const json::Value& port : ports) {
      for (const json::Value& address : addresses)
        pieces.push_back(host_port(string_at(address, {"ip"}), int_at(port, {"port"})));
    }
    if (!ports.empty()) continue;
    for (const json::Value& address : addresses) pieces.emplace_back(string_at(address, {"ip"}));
  }
  return text(limited(pieces, kEndpointsShown));
}

json::Value slice_endpoints(const json::Value& slice, WallTime) {
  std::vector<std::string> pieces;
  for (const json::Value& endpoint : array_at(slice, {"endpoints"})) {
    for (const json::Value& address : array_at(endpoint, {"addresses"}))
      pieces.push_back(number_text(&address, ""));
  }
  return text(pieces.empty() ? kUnset : std::string_view(limited(pieces, kEndpointsShown)));
}

json::Value slice_ports(const json::Value& slice, WallTime) {
  std::vector<std::string> pieces;
  for (const json::Value& port : array_at(slice, {"ports"})) {
    const json::Value* number = find(port, {"port"});
    pieces.push_back(number_text(number ? number : find(port, {"name"}), "*"));
  }
  return text(pieces.empty() ? kUnset : std::string_view(limited(pieces, kEndpointsShown)));
}

// "services/default/web": whom an address belongs to.
json::Value address_parent(const json::Value& address, WallTime) {
  if (!find(address, {"spec", "parentRef"})) return text(kNone);
  const std::string_view group = string_at(address, {"spec", "parentRef", "group"});
  const std::string_view ns = string_at(address, {"spec", "parentRef", "namespace"});
  return text(lower(string_at(address, {"spec", "parentRef", "resource"})) +
              (group.empty() ? "" : "." + lower(group)) +
              (ns.empty() ? "" : "/" + std::string(ns)) + "/" +
              std::string(string_at(address, {"spec", "parentRef", "name"})));
}

}  // namespace

std::span<const Printer> network_printers() {
  static constexpr Printer kPrinters[] = {
      {"service.cluster_ip", cluster_ip},
      {"service.external_ip", external_ip},
      {"service.ports", service_ports},
      {"ingress.class",
       [](const json::Value& d, WallTime) {
         return text_or(string_at(d, {"spec", "ingressClassName"}), kNone);
       }},
      {"ingress.hosts", ingress_hosts},
      {"ingress.address",
       [](const json::Value& d, WallTime) {
         return text(fmt::format("{}", fmt::join(balancer_addresses(d), ",")));
       }},
      {"ingress.ports",
       [](const json::Value& d, WallTime) {
         return text(array_at(d, {"spec", "tls"}).empty() ? "80" : "80, 443");
       }},
      {"ingress_class.parameters", class_parameters},
      {"endpoints.endpoints", endpoints},
      {"endpoint_slice.endpoints", slice_endpoints},
      {"endpoint_slice.ports", slice_ports},
      {"network_policy.pod_selector",
       [](const json::Value& d, WallTime) {
         const json::Value* selector = find(d, {"spec", "podSelector"});
         return text(selector_text(selector));
       }},
      {"service_cidr.cidrs",
       [](const json::Value& d, WallTime) { return text(joined(array_at(d, {"spec", "cidrs"}))); }},
      {"ip_address.parentref", address_parent},
  };
  return kPrinters;
}

}  // namespace atl::api::printers

#include "kernel/network/service_table.h"

#include <algorithm>
#include <utility>

namespace atl::network {
namespace {

constexpr uint16_t kHttps = 443;
constexpr uint16_t kDns = 53;
// Sorts before every Service and pod, so that nobody can take these addresses.
const std::string kOwn = "atoll";

std::string owner_of(const api::ObjectKey& service) {
  return "svc/" + service.text();
}

}  // namespace

// DNS and API answer at their ClusterIPs from the first moment, before their Services are known.
ServiceTable::ServiceTable(const Options& options) : options_(options) {
  Frontends own;
  const Balancing dns{.backends = {{options.link_ip, kDns}}};
  own[{options.dns_ip, Protocol::kUdp, kDns}] = dns;
  own[{options.dns_ip, Protocol::kTcp, kDns}] = dns;
  const Ipv4 api(options.services.first().value() + 1);
  own[{api, Protocol::kTcp, kHttps}] = {.backends = {{options.link_ip, options.api_port}}};
  contribute(kOwn, std::move(own));
}

void ServiceTable::set_service(ServiceInfo service) {
  const api::ObjectKey key = service.key;
  services_[key] = std::move(service);
  refresh(key);
}

void ServiceTable::remove_service(const api::ObjectKey& key) {
  services_.erase(key);
  refresh(key);
}

void ServiceTable::set_slice(const api::ObjectKey& key, SliceInfo slice) {
  const api::ObjectKey service = slice.service;
  if (const auto old = slices_.find(key); old != slices_.end() && old->second.service != service) {
    remove_slice(key);
  }
  slices_[key] = std::move(slice);
  slices_of_[service].insert(key);
  refresh(service);
}

void ServiceTable::remove_slice(const api::ObjectKey& key) {
  const auto it = slices_.find(key);
  if (it == slices_.end()) return;
  const api::ObjectKey service = it->second.service;
  slices_.erase(it);
  auto& all = slices_of_[service];
  all.erase(key);
  if (all.empty()) slices_of_.erase(service);
  refresh(service);
}

void ServiceTable::set_host_ports(const std::string& pod_uid, Ipv4 ip,
                                  std::vector<HostPort> ports) {
  include(ip);
  Frontends now;
  for (const HostPort& port : ports) {
    for (const Ipv4 address : options_.node_port_addresses) {
      const Protocol protocol = Protocol(port.protocol);
      now[{address, protocol, port.host_port}] = {.backends = {{ip, port.pod_port}}};
    }
  }
  host_ports_[pod_uid] = {ip, std::move(ports)};
  contribute("pod/" + pod_uid, std::move(now));
}

void ServiceTable::remove_pod(const std::string& pod_uid) {
  const auto it = host_ports_.find(pod_uid);
  if (it == host_ports_.end()) return;
  const Ipv4 ip = it->second.first;
  host_ports_.erase(it);
  contribute("pod/" + pod_uid, {});
  include(ip);
}

void ServiceTable::exclude(Ipv4 ip) {
  if (!excluded_.insert(ip).second) return;
  refresh_all_with(ip);
  for (const auto& [uid, pod] : host_ports_) {
    if (pod.first == ip) contribute("pod/" + uid, {});
  }
}

void ServiceTable::include(Ipv4 ip) {
  if (excluded_.erase(ip) != 0) refresh_all_with(ip);
}

void ServiceTable::refresh(const api::ObjectKey& service) {
  const auto it = services_.find(service);
  contribute(owner_of(service), it == services_.end() ? Frontends() : of_service(it->second));
}

void ServiceTable::refresh_all_with(Ipv4 ip) {
  std::set<api::ObjectKey> services;
  for (const auto& [key, slice] : slices_) {
    if (std::ranges::find(slice.endpoints, ip, &Endpoint::ip) != slice.endpoints.end()) {
      services.insert(slice.service);
    }
  }
  for (const api::ObjectKey& service : services) refresh(service);
}

Frontends ServiceTable::of_service(const ServiceInfo& service) const {
  Frontends out;
  for (const ServicePort& port : service.ports) {
    Balancing balancing{.backends = backends(service.key, port), .sticky = service.sticky};
    if (balancing.backends.empty()) continue;
    for (const Ipv4 ip : service.cluster_ips) out[{ip, port.protocol, port.port}] = balancing;
    const auto& reserved = options_.reserved_ports;
    if (port.node_port == 0 || std::ranges::find(reserved, port.node_port) != reserved.end()) {
      continue;
    }
    for (const Ipv4 ip : options_.node_port_addresses) {
      out[{ip, port.protocol, port.node_port}] = balancing;
    }
  }
  return out;
}

// A slice's port belongs to a Service's port of the same name; targetPort was resolved by whoever
// wrote the slice.
std::vector<Backend> ServiceTable::backends(const api::ObjectKey& service,
                                            const ServicePort& port) const {
  std::vector<Backend> out;
  const auto slices = slices_of_.find(service);
  if (slices == slices_of_.end()) return out;
  for (const api::ObjectKey& key : slices->second) {
    const SliceInfo& slice = slices_.at(key);
    for (const SlicePort& slice_port : slice.ports) {
      if (slice_port.name != port.name || slice_port.protocol != port.protocol ||
          slice_port.port == 0) {
        continue;
      }
      for (const Endpoint& endpoint : slice.endpoints) {
        if (!endpoint.ready || excluded_.contains(endpoint.ip)) continue;
        out.push_back({endpoint.ip, slice_port.port});
      }
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void ServiceTable::contribute(const std::string& owner, Frontends now) {
  const Frontends before = std::exchange(contributions_[owner], std::move(now));
  const Frontends& after = contributions_[owner];
  std::set<Frontend> touched;
  for (const auto& [frontend, balancing] : before) {
    touched.insert(frontend);
    if (!after.contains(frontend)) claims_[frontend].erase(owner);
  }
  for (const auto& [frontend, balancing] : after) {
    touched.insert(frontend);
    claims_[frontend].insert(owner);
  }
  for (const Frontend& frontend : touched) settle(frontend);
  if (after.empty()) contributions_.erase(owner);
}

void ServiceTable::settle(const Frontend& frontend) {
  const auto claim = claims_.find(frontend);
  const auto old = frontends_.find(frontend);
  if (claim->second.empty()) {
    claims_.erase(claim);
    if (old == frontends_.end()) return;
    frontends_.erase(old);
  } else {
    const Balancing& now = contributions_.at(*claim->second.begin()).at(frontend);
    if (old != frontends_.end() && old->second == now) return;
    frontends_[frontend] = now;
  }
  changed_.insert(frontend);
}

}  // namespace atl::network

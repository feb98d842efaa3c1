#include "kernel/network/dns/zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

namespace atl::network::dns {
namespace {

constexpr uint32_t kTtlSeconds = 5;
constexpr std::string_view kReverse = "in-addr.arpa";
constexpr std::string_view kVersion = "1.1.0";  // of the specification

std::vector<std::string_view> labels_of(std::string_view name) {
  std::vector<std::string_view> out;
  while (!name.empty()) {
    const size_t dot = name.find('.');
    out.push_back(name.substr(0, dot));
    name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  }
  return out;
}

bool within(std::string_view name, std::string_view zone) {
  return name == zone || (name.size() > zone.size() && name.ends_with(zone) &&
                          name[name.size() - zone.size() - 1] == '.');
}

Record record(const std::string& owner, Ipv4 ip) {
  return {.owner = owner, .type = Type::kA, .ttl_seconds = kTtlSeconds, .data = ip};
}

Record record(const std::string& owner, Type type, std::string target) {
  return {
      .owner = owner, .type = type, .ttl_seconds = kTtlSeconds, .data = Name{std::move(target)}};
}

std::string host_of(const Endpoint& endpoint) {
  return endpoint.hostname.empty() ? dashed(endpoint.ip) : lower(endpoint.hostname);
}

std::optional<Ipv4> parse_dashed(std::string_view label) {
  std::string text(label);
  std::ranges::replace(text, '-', '.');
  const auto ip = Ipv4::parse(text);
  if (!ip || dashed(*ip) != label) return std::nullopt;
  return *ip;
}

// "7.0.42.10.in-addr.arpa"
std::optional<Ipv4> parse_reverse(const std::string& name) {
  const auto labels = labels_of(name);
  if (labels.size() != 6) return std::nullopt;
  const auto ip =
      Ipv4::parse(fmt::format("{}.{}.{}.{}", labels[3], labels[2], labels[1], labels[0]));
  if (!ip) return std::nullopt;
  return *ip;
}

}  // namespace

std::string dashed(Ipv4 ip) {
  std::string out = ip.text();
  std::ranges::replace(out, '.', '-');
  return out;
}

Zone::Zone(const Options& options)
    : domain_(lower(options.cluster_domain)),
      pods_(options.pods),
      services_(options.services),
      dns_ip_(options.dns_ip) {}

void Zone::index(const ServiceInfo& service, bool present) {
  for (const Ipv4 ip : service.cluster_ips) {
    if (present)
      by_cluster_ip_[ip] = service.key;
    else
      by_cluster_ip_.erase(ip);
  }
  size_t& count = namespaces_[service.key.ns];
  count += present ? 1 : size_t(-1);
  if (count == 0) namespaces_.erase(service.key.ns);
}

void Zone::set_service(ServiceInfo service) {
  remove_service(service.key);
  index(service, true);
  const api::ObjectKey key = service.key;
  services_by_key_[key] = std::move(service);
}

void Zone::remove_service(const api::ObjectKey& key) {
  ++serial_;
  const auto it = services_by_key_.find(key);
  if (it == services_by_key_.end()) return;
  index(it->second, false);
  services_by_key_.erase(it);
}

void Zone::set_slice(const api::ObjectKey& key, SliceInfo slice) {
  remove_slice(key);
  slices_of_[slice.service].insert(key);
  for (const Endpoint& endpoint : slice.endpoints) slices_with_[endpoint.ip].insert(key);
  slices_[key] = std::move(slice);
}

void Zone::remove_slice(const api::ObjectKey& key) {
  ++serial_;
  const auto it = slices_.find(key);
  if (it == slices_.end()) return;
  const auto forget = [&key](auto& index, const auto& by) {
    const auto entry = index.find(by);
    if (entry == index.end()) return;
    entry->second.erase(key);
    if (entry->second.empty()) index.erase(entry);
  };
  forget(slices_of_, it->second.service);
  for (const Endpoint& endpoint : it->second.endpoints) forget(slices_with_, endpoint.ip);
  slices_.erase(it);
}

bool Zone::owns(std::string_view lower_name) const {
  if (within(lower_name, domain_)) return true;
  if (!within(lower_name, kReverse)) return false;
  const auto ip = parse_reverse(std::string(lower_name));
  return ip && (pods_.contains(*ip) || services_.contains(*ip));
}

Zone::Answer Zone::answer(const Query& query) const {
  Answer out;
  Reply& reply = out.reply;
  reply.authoritative = true;
  Found found = find(query.lower);
  for (Record& r : found.records) {
    const bool alias = r.type == Type::kCname;
    if (r.type != query.type && query.type != Type::kAny && !alias) continue;
    if (alias && query.type != Type::kCname) {
      const std::string target = lower(std::get<Name>(r.data).text);
      out.alias = target;
    }
    reply.answers.push_back(std::move(r));
  }
  if (query.type == Type::kSrv) reply.additional = std::move(found.additional);
  if (!reply.answers.empty()) return out;
  if (!found.exists) reply.rcode = Rcode::kNoName;
  const std::string zone = within(query.lower, domain_) ? domain_ : std::string(kReverse);
  reply.authority = {{.zone = zone, .serial = serial_, .ttl_seconds = kTtlSeconds}};
  return out;
}

Zone::Found Zone::find(const std::string& name) const {
  if (within(name, kReverse)) return find_reverse(name);
  if (name == domain_) {
    return {.exists = true, .records = {record(name, Type::kNs, "ns.dns." + domain_)}};
  }
  const auto labels = labels_of(std::string_view(name).substr(0, name.size() - domain_.size() - 1));
  const std::string_view kind = labels.back();
  if (name == "ns.dns." + domain_) return {.exists = true, .records = {record(name, dns_ip_)}};
  if (kind == "dns-version" && labels.size() == 1) {
    return {.exists = true,
            .records = {{.owner = name,
                         .type = Type::kTxt,
                         .ttl_seconds = kTtlSeconds,
                         .data = Text{std::string(kVersion)}}}};
  }
  if (kind == "svc") return find_in_service(name, labels);
  if (kind == "pod") return find_pod(name, labels);
  return {};
}

// Labels before "svc": [host | port, protocol,] service, namespace.
Zone::Found Zone::find_in_service(const std::string& name,
                                  const std::vector<std::string_view>& labels) const {
  const size_t count = labels.size() - 1;
  if (count == 0) return {.exists = true};
  const std::string_view ns = labels[count - 1];
  if (count == 1) return {.exists = namespaces_.contains(ns)};
  const ServiceInfo* info = service(ns, labels[count - 2]);
  if (info == nullptr) return {};
  if (count == 2) return find_service(name, *info);
  if (count == 4) return find_srv(name, *info, labels[0], labels[1]);
  if (count != 3) return {};
  if (labels[0] == "_tcp" || labels[0] == "_udp") return {.exists = true};  // has names below it
  return find_endpoint(name, *info, labels[0]);
}

Zone::Found Zone::find_service(const std::string& name, const ServiceInfo& service) const {
  Found out{.exists = true};
  if (!service.external_name.empty()) {
    out.records.push_back(record(name, Type::kCname, service.external_name));
    return out;
  }
  if (!service.headless) {
    for (const Ipv4 ip : service.cluster_ips) out.records.push_back(record(name, ip));
    return out;
  }
  std::set<Ipv4> addresses;
  for_each_endpoint(service.key,
                    [&](const SliceInfo&, const Endpoint& e) { addresses.insert(e.ip); });
  for (const Ipv4 ip : addresses) out.records.push_back(record(name, ip));
  if (out.records.size() > 1) {
    std::ranges::rotate(out.records, out.records.begin() + long(turn_++ % out.records.size()));
  }
  return out;
}

Zone::Found Zone::find_srv(const std::string& name, const ServiceInfo& service,
                           std::string_view port, std::string_view protocol) const {
  if (port.size() < 2 || port[0] != '_' || (protocol != "_tcp" && protocol != "_udp")) return {};
  port.remove_prefix(1);
  const Protocol wanted = protocol == "_tcp" ? Protocol::kTcp : Protocol::kUdp;
  Found out;
  const auto add = [&](uint16_t number, const std::string& target, Ipv4 ip) {
    out.exists = true;
    out.records.push_back({.owner = name,
                           .type = Type::kSrv,
                           .ttl_seconds = kTtlSeconds,
                           .data = Srv{.weight = 100, .port = number, .target = target}});
    out.additional.push_back(record(target, ip));
  };
  const std::string target = service_name(service.key);
  for (const ServicePort& p : service.ports) {
    if (lower(p.name) != port || p.protocol != wanted) continue;
    for (const Ipv4 ip : service.cluster_ips) add(p.port, target, ip);
  }
  if (!service.headless) return out;
  for_each_endpoint(service.key, [&](const SliceInfo& slice, const Endpoint& e) {
    for (const SlicePort& p : slice.ports) {
      if (lower(p.name) != port || p.protocol != wanted) continue;
      add(p.port, host_of(e) + "." + target, e.ip);
    }
  });
  return out;
}

Zone::Found Zone::find_endpoint(const std::string& name, const ServiceInfo& service,
                                std::string_view host) const {
  Found out;
  if (!service.headless) return out;
  for_each_endpoint(service.key, [&](const SliceInfo&, const Endpoint& e) {
    if (host_of(e) != host) return;
    out.exists = true;
    const Record r = record(name, e.ip);
    if (std::ranges::find(out.records, r) == out.records.end()) out.records.push_back(r);
  });
  return out;
}

Zone::Found Zone::find_pod(const std::string& name,
                           const std::vector<std::string_view>& labels) const {
  if (labels.size() == 1) return {.exists = true};
  if (labels.size() != 3) return {.exists = labels.size() == 2 && namespaces_.contains(labels[0])};
  const auto ip = parse_dashed(labels[0]);
  if (!ip || !pods_.contains(*ip)) return {};
  return {.exists = true, .records = {record(name, *ip)}};
}

Zone::Found Zone::find_reverse(const std::string& name) const {
  const auto ip = parse_reverse(name);
  if (!ip) return {};
  Found out;
  if (const auto it = by_cluster_ip_.find(*ip); it != by_cluster_ip_.end()) {
    out.records.push_back(record(name, Type::kPtr, service_name(it->second)));
  }
  if (const auto with = slices_with_.find(*ip); with != slices_with_.end()) {
    for (const api::ObjectKey& key : with->second) {
      const SliceInfo& slice = slices_.at(key);
      const ServiceInfo* info = service(slice.service.ns, slice.service.name);
      if (info == nullptr || !info->headless) continue;
      const auto e = std::ranges::find(slice.endpoints, *ip, &Endpoint::ip);
      const Record r = record(name, Type::kPtr, host_of(*e) + "." + service_name(slice.service));
      if (std::ranges::find(out.records, r) == out.records.end()) out.records.push_back(r);
    }
  }
  out.exists = !out.records.empty();
  return out;
}

std::string Zone::service_name(const api::ObjectKey& service) const {
  return fmt::format("{}.{}.svc.{}", service.name, service.ns, domain_);
}

template <class F>
void Zone::for_each_endpoint(const api::ObjectKey& service, F each) const {
  const auto slices = slices_of_.find(service);
  if (slices == slices_of_.end()) return;
  for (const api::ObjectKey& key : slices->second) {
    const SliceInfo& slice = slices_.at(key);
    for (const Endpoint& endpoint : slice.endpoints) {
      if (endpoint.ready) each(slice, endpoint);
    }
  }
}

const ServiceInfo* Zone::service(std::string_view ns, std::string_view name) const {
  const auto it = services_by_key_.find({std::string(ns), std::string(name)});
  return it == services_by_key_.end() ? nullptr : &it->second;
}

}  // namespace atl::network::dns

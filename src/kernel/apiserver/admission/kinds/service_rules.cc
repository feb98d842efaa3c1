#include "kernel/apiserver/admission/kinds/service_rules.h"

#include <algorithm>
#include <set>

#include "kernel/apiserver/admission/address_pool.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr int64_t kAffinitySeconds = 10800;

std::string_view type_of(const json::Value& service) {
  return json::string_at(service, {"spec", "type"}, "ClusterIP");
}
std::string_view cluster_ip(const json::Value& service) {
  return json::string_at(service, {"spec", "clusterIP"});
}
bool external_name(const json::Value& service) {
  return type_of(service) == "ExternalName";
}
bool opens_ports(const json::Value& service) {
  return type_of(service) == "NodePort" || type_of(service) == "LoadBalancer";
}

void set_if_missing(json::Value& service, std::string_view field, json::Value value) {
  json::Value& spec = json::ensure(service, {"spec"});
  if (!spec.as_object().contains(field)) spec.as_object()[field] = std::move(value);
}

void default_ports(json::Value& service) {
  json::Value* ports = json::find(service, {"spec", "ports"});
  if (ports == nullptr || !ports->is_array()) return;
  for (json::Value& port : ports->as_array()) {
    if (!port.is_object()) continue;
    json::Object& fields = port.as_object();
    if (json::string_at(port, {"protocol"}).empty()) fields["protocol"] = "TCP";
    const json::Value* target = fields.if_contains("targetPort");
    const bool unset = target == nullptr || target->is_null() ||
                       (target->is_string() && target->as_string().empty()) ||
                       (target->is_number() && target->to_number<double>() == 0);
    if (unset && fields.contains("port")) fields["targetPort"] = json::Value(fields["port"]);
  }
}

// What a PUT without these fields must not lose: they were given by the server.
void keep_addresses(json::Value& service, const json::Value& old) {
  if (!needs_cluster_ip(service) || !needs_cluster_ip(old)) return;
  if (!cluster_ip(service).empty() || !json::array_at(service, {"spec", "clusterIPs"}).empty())
    return;
  for (const std::string_view field : {"clusterIP", "clusterIPs"}) {
    if (const json::Value* value = json::find(old, {"spec", field}))
      json::set(service, {"spec", field}, *value);
  }
}

void keep_node_ports(json::Value& service, const json::Value& old) {
  json::Value* ports = json::find(service, {"spec", "ports"});
  if (!needs_node_ports(service) || !needs_node_ports(old) || ports == nullptr ||
      !ports->is_array())
    return;
  std::set<int64_t> used;
  for (const json::Value& port : ports->as_array()) used.insert(json::int_at(port, {"nodePort"}));
  for (json::Value& port : ports->as_array()) {
    if (!port.is_object() || json::int_at(port, {"nodePort"}) != 0) continue;
    for (const json::Value& before : json::array_at(old, {"spec", "ports"})) {
      const bool same = json::int_at(before, {"port"}) == json::int_at(port, {"port"}) &&
                        json::string_at(before, {"protocol"}, "TCP") ==
                            json::string_at(port, {"protocol"}, "TCP");
      const int64_t node_port = json::int_at(before, {"nodePort"});
      if (same && node_port != 0 && used.insert(node_port).second)
        port.as_object()["nodePort"] = node_port;
    }
  }
}

// A change of type drops what the new type cannot have, unless the request itself sets it anew.
void drop_foreign_fields(json::Value& service, const json::Value& old) {
  const auto unchanged = [&](std::string_view field) {
    const json::Value* now = json::find(service, {"spec", field});
    const json::Value* before = json::find(old, {"spec", field});
    return now != nullptr && before != nullptr && json::equal(*now, *before);
  };
  if (!needs_cluster_ip(service) && needs_cluster_ip(old) && unchanged("clusterIP")) {
    for (const std::string_view field :
         {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"}) {
      json::erase(service, {"spec", field});
    }
  }
  if (opens_ports(old) && !opens_ports(service)) {
    json::Value* ports = json::find(service, {"spec", "ports"});
    const json::Array& before = json::array_at(old, {"spec", "ports"});
    for (size_t i = 0; ports != nullptr && ports->is_array() && i < ports->as_array().size(); ++i) {
      json::Value& port = ports->as_array()[i];
      const int64_t node_port = json::int_at(port, {"nodePort"});
      const bool was_there = std::ranges::any_of(before, [&](const json::Value& other) {
        return json::int_at(other, {"nodePort"}) == node_port;
      });
      if (node_port != 0 && was_there) json::erase(port, {"nodePort"});
    }
    for (const std::string_view field :
         {"externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"}) {
      if (unchanged(field)) json::erase(service, {"spec", field});
    }
  }
}

void couple_addresses(json::Value& service) {
  const std::string ip(cluster_ip(service));
  const json::Array& ips = json::array_at(service, {"spec", "clusterIPs"});
  if (!ip.empty() && ips.empty()) {
    json::set(service, {"spec", "clusterIPs"}, json::Array{json::Value(ip)});
  } else if (ip.empty() && !ips.empty() && ips.front().is_string()) {
    json::set(service, {"spec", "clusterIP"}, ips.front());
  }
}

void check_port(const json::Value& service, const json::Value& port, const std::string& path,
                size_t count, api::Findings& out) {
  const std::string_view name = json::string_at(port, {"name"});
  if (name.empty() && count > 1) out.push_back(required_value(under(path, "name")));
  check_text(out, under(path, "name"), name, api::dns_label);
  const json::Value* target = json::find(port, {"targetPort"});
  if (target != nullptr && target->is_string()) {
    check_text(out, under(path, "targetPort"), target->as_string(), api::port_name);
  } else if (target != nullptr && target->is_number()) {
    const int64_t number = json::int_at(port, {"targetPort"});
    if (number < 1 || number > 65535) {
      out.push_back(invalid_value(under(path, "targetPort"), *target,
                                  "must be between 1 and 65535, inclusive"));
    }
  }
  if (!opens_ports(service) && json::int_at(port, {"nodePort"}) != 0) {
    out.push_back(
        forbidden_value(under(path, "nodePort"),
                        "may not be used when `type` is '" + std::string(type_of(service)) + "'"));
  }
}

void check_ports(const json::Value& service, api::Findings& out) {
  const json::Array& ports = json::array_at(service, {"spec", "ports"});
  if (ports.empty() && !is_headless(service) && !external_name(service))
    out.push_back(required_value("spec.ports"));
  std::set<std::string> names;
  std::set<std::pair<int64_t, std::string>> numbers;
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string path = at("spec.ports", i);
    check_port(service, ports[i], path, ports.size(), out);
    const std::string name(json::string_at(ports[i], {"name"}));
    if (!name.empty() && !names.insert(name).second)
      out.push_back(duplicate_value(under(path, "name"), json::Value(name)));
    const std::string protocol(json::string_at(ports[i], {"protocol"}, "TCP"));
    const int64_t number = json::int_at(ports[i], {"port"});
    if (!numbers.insert({number, protocol}).second) {
      out.push_back(duplicate_value(path, json::Object{{"port", number}, {"protocol", protocol}}));
    }
  }
}

void check_addresses(const json::Value& service, const json::Value* old, api::Findings& out) {
  const json::Array& ips = json::array_at(service, {"spec", "clusterIPs"});
  const std::string ip(cluster_ip(service));
  if (external_name(service)) {
    if (!ips.empty())
      out.push_back(
          forbidden_value("spec.clusterIPs", "may not be set when `type` is 'ExternalName'"));
    return;
  }
  if (ips.size() > 1) {
    out.push_back(invalid_value("spec.clusterIPs", ips,
                                "may only hold one address: this cluster has a single IP family"));
  }
  if (!ips.empty() && (!ips.front().is_string() || ips.front().as_string() != ip)) {
    out.push_back(invalid_value("spec.clusterIPs", ips, "first value must match `clusterIP`"));
  }
  if (is_headless(service) && opens_ports(service)) {
    out.push_back(invalid_value(
        "spec.clusterIPs[0]", json::Value("None"),
        "may not be set to 'None' for " + std::string(type_of(service)) + " services"));
  } else if (!ip.empty() && ip != "None" && !parse_ipv4(ip)) {
    out.push_back(invalid_value("spec.clusterIPs[0]", json::Value(ip),
                                "must be a valid IP address, (e.g. 10.9.8.7)"));
  }
  if (old != nullptr && needs_cluster_ip(*old) && !cluster_ip(*old).empty() &&
      cluster_ip(*old) != ip) {
    out.push_back(invalid_value("spec.clusterIPs[0]", ips, "may not change once set"));
  }
}

void check_families(const json::Value& service, api::Findings& out) {
  const json::Array& families = json::array_at(service, {"spec", "ipFamilies"});
  for (size_t i = 0; i < families.size(); ++i) {
    if (families[i] != "IPv4") {
      out.push_back(
          invalid_value(at("spec.ipFamilies", i), families[i], "not configured on this cluster"));
    }
  }
  if (json::string_at(service, {"spec", "ipFamilyPolicy"}) == "RequireDualStack") {
    out.push_back(invalid_value("spec.ipFamilyPolicy", "RequireDualStack",
                                "this cluster is not configured for dual-stack services"));
  }
}

}  // namespace

bool is_headless(const json::Value& service) {
  return cluster_ip(service) == "None";
}
bool needs_cluster_ip(const json::Value& service) {
  return !external_name(service);
}
bool needs_node_ports(const json::Value& service) {
  if (type_of(service) == "NodePort") return true;
  return type_of(service) == "LoadBalancer" &&
         json::bool_at(service, {"spec", "allocateLoadBalancerNodePorts"}, true);
}

void default_service(json::Value& service, const json::Value* old) {
  set_if_missing(service, "type", "ClusterIP");
  default_ports(service);
  if (old != nullptr) {
    keep_addresses(service, *old);
    keep_node_ports(service, *old);
    drop_foreign_fields(service, *old);
  }
  couple_addresses(service);
  set_if_missing(service, "sessionAffinity", "None");
  if (json::string_at(service, {"spec", "sessionAffinity"}) == "ClientIP" &&
      json::find(service, {"spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"}) ==
          nullptr) {
    json::set(service, {"spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"},
              kAffinitySeconds);
  }
  if (external_name(service)) return;
  set_if_missing(service, "internalTrafficPolicy", "Cluster");
  set_if_missing(service, "ipFamilies", json::Array{"IPv4"});
  set_if_missing(service, "ipFamilyPolicy", "SingleStack");
  if (opens_ports(service)) set_if_missing(service, "externalTrafficPolicy", "Cluster");
  if (type_of(service) == "LoadBalancer")
    set_if_missing(service, "allocateLoadBalancerNodePorts", true);
}

api::Findings check_service(const json::Value& service, const json::Value* old) {
  api::Findings out;
  check_ports(service, out);
  check_addresses(service, old, out);
  check_families(service, out);
  const std::string_view external = json::string_at(service, {"spec", "externalName"});
  if (external_name(service)) {
    if (external.empty()) out.push_back(required_value("spec.externalName"));
    const bool rooted = external.ends_with('.');
    check_text(out, "spec.externalName",
               rooted ? external.substr(0, external.size() - 1) : external, api::dns_subdomain);
  }
  if (!opens_ports(service) &&
      !json::string_at(service, {"spec", "externalTrafficPolicy"}).empty()) {
    out.push_back(
        invalid_value("spec.externalTrafficPolicy",
                      json::Value(json::string_at(service, {"spec", "externalTrafficPolicy"})),
                      "may only be set for externally-accessible services"));
  }
  return out;
}

}  // namespace atl::apiserver

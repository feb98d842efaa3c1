#include "kernel/apiserver/admission/kinds/service.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/admission/kinds/service_rules.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

const api::Gvk kService{"", "v1", "Service"};

uint32_t reserved_of(const AddressRange& range) {
  return std::clamp<uint32_t>(range.size / 16, 16, 256);
}

std::optional<uint32_t> address_of(const json::Value& service) {
  return parse_ipv4(json::string_at(service, {"spec", "clusterIP"}));
}

std::vector<uint32_t> node_ports_of(const json::Value& service) {
  std::vector<uint32_t> out;
  for (const json::Value& port : json::array_at(service, {"spec", "ports"})) {
    const int64_t number = json::int_at(port, {"nodePort"});
    if (number > 0 && number <= 65535) out.push_back(static_cast<uint32_t>(number));
  }
  if (const int64_t health = json::int_at(service, {"spec", "healthCheckNodePort"});
      health > 0 && health <= 65535) {
    out.push_back(static_cast<uint32_t>(health));
  }
  return out;
}

Error refuse(const WriteContext& write, Cause cause) {
  return api::invalid(kService, write.key.name, {std::move(cause)});
}

}  // namespace

ServiceHook::ServiceHook(Reader& reader, Rng& rng, ServiceSettings settings)
    : rng_(rng),
      settings_(std::move(settings)),
      addresses_(settings_.cluster_ips.base + 1, settings_.cluster_ips.size - 2),
      ports_(settings_.first_node_port, settings_.node_ports) {
  listener_ = reader.listen(
      "", "services",
      [this](const api::ObjectPtr& now, const api::ObjectPtr& before) { follow(now, before); });
  reader.each("", "services", "", [this](const api::ObjectPtr& service) {
    follow(service, nullptr);
    return true;
  });
}

void ServiceHook::follow(const api::ObjectPtr& now, const api::ObjectPtr& before) {
  if (before) {
    const json::Value service = before->parse();
    const std::string owner = before->key().text();
    if (const auto address = address_of(service)) addresses_.drop(*address, owner);
    for (const uint32_t port : node_ports_of(service)) ports_.drop(port, owner);
  }
  if (now) {
    const json::Value service = now->parse();
    const std::string owner = now->key().text();
    if (const auto address = address_of(service)) addresses_.hold(*address, owner);
    for (const uint32_t port : node_ports_of(service)) ports_.hold(port, owner);
  }
}

Result<> ServiceHook::prepare(WriteContext& write) const {
  if (write.subresource.empty()) default_service(*write.object, write.old);
  return Unit{};
}

api::Findings ServiceHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  return check_service(*write.object, write.old);
}

Result<> ServiceHook::reserve_address(WriteContext& write) {
  json::Value& service = *write.object;
  if (!needs_cluster_ip(service) || is_headless(service)) return Unit{};
  const std::string asked(json::string_at(service, {"spec", "clusterIP"}));
  const std::string owner = write.key.text();
  if (asked.empty()) {
    const auto given = addresses_.claim_any(reserved_of(settings_.cluster_ips), rng_, owner);
    if (!given) {
      return Error(Code::kExhausted, fmt::format("no address is left in the range of Services, {}",
                                                 settings_.cluster_ips.text));
    }
    json::set(service, {"spec", "clusterIP"}, json::Value(ipv4_text(*given)));
    json::set(service, {"spec", "clusterIPs"}, json::Array{json::Value(ipv4_text(*given))});
    return Unit{};
  }
  const auto address = parse_ipv4(asked);
  std::string why;
  if (!address || !addresses_.contains(*address)) {
    why =
        fmt::format("the provided IP ({}) is not in the valid range. The range of valid IPs is {}",
                    asked, settings_.cluster_ips.text);
  } else if (!addresses_.claim(*address, owner)) {
    why = "provided IP is already allocated";
  }
  if (why.empty()) return Unit{};
  return refuse(write, invalid_value("spec.clusterIPs", json::Array{json::Value(asked)},
                                     fmt::format("failed to allocate IP {}: {}", asked, why)));
}

Result<> ServiceHook::reserve_ports(WriteContext& write) {
  json::Value& service = *write.object;
  json::Value* ports = json::find(service, {"spec", "ports"});
  if (!needs_node_ports(service) || ports == nullptr || !ports->is_array()) return Unit{};
  const std::string owner = write.key.text();
  std::vector<uint32_t> claimed;
  const auto give_back = [&](Error error) {
    for (const uint32_t port : claimed) ports_.settle(port);
    return error;
  };
  json::Array& list = ports->as_array();
  // Numbers asked for come first, so that none given at random takes one of them.
  for (size_t i = 0; i < list.size(); ++i) {
    const int64_t asked = json::int_at(list[i], {"nodePort"});
    if (asked == 0) continue;
    const auto number = static_cast<uint32_t>(asked);
    const std::string path = under(at("spec.ports", i), "nodePort");
    if (!ports_.contains(number) && !ports_.held_by(number, owner)) {
      return give_back(refuse(
          write,
          invalid_value(path, json::Value(asked),
                        fmt::format("provided port is not in the valid range. The range of valid "
                                    "ports is {}-{}",
                                    settings_.first_node_port,
                                    settings_.first_node_port + settings_.node_ports - 1))));
    }
    // One number may serve TCP and UDP of the same Service.
    if (!ports_.claim(number, owner)) {
      return give_back(refuse(
          write, invalid_value(path, json::Value(asked), "provided port is already allocated")));
    }
    claimed.push_back(number);
  }
  for (json::Value& port : list) {
    if (!port.is_object() || json::int_at(port, {"nodePort"}) != 0) continue;
    const auto given = ports_.claim_any(0, rng_, owner);
    if (!given) return give_back(Error(Code::kExhausted, "no node port is left"));
    claimed.push_back(*given);
    port.as_object()["nodePort"] = static_cast<int64_t>(*given);
  }
  return Unit{};
}

Result<> ServiceHook::reserve(WriteContext& write) {
  if (!write.subresource.empty()) return Unit{};
  TRY_OK(reserve_address(write));
  auto ports = reserve_ports(write);
  if (ports) return Unit{};
  if (const auto address = address_of(*write.object)) addresses_.settle(*address);
  return std::move(ports).error();
}

void ServiceHook::settle(const WriteContext& write, bool) {
  if (!write.subresource.empty()) return;
  // Stored or not: what was committed reached the pools through follow(). Only the claim ends here.
  if (const auto address = address_of(*write.object)) addresses_.settle(*address);
  if (!needs_node_ports(*write.object)) return;
  for (const json::Value& port : json::array_at(*write.object, {"spec", "ports"})) {
    if (const int64_t number = json::int_at(port, {"nodePort"}); number > 0)
      ports_.settle(static_cast<uint32_t>(number));
  }
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/resource_usage.h"

#include <algorithm>

#include "kernel/apiserver/admission/kinds/service_rules.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kPlainResources[] = {"cpu", "memory", "ephemeral-storage"};

bool has_ended(const json::Value& pod) {
  const std::string_view phase = json::string_at(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

void raise_to(ResourceAmounts& into, const ResourceAmounts& floor) {
  for (const auto& [name, amount] : floor) {
    Quantity& own = into[name];
    own = std::max(own, amount);
  }
}

void count_pod(const json::Value& pod, ResourceAmounts& out) {
  if (has_ended(pod)) return;
  out["pods"] = Quantity::of(1);
  const json::Value spec = json::object_at(pod, {"spec"});
  for (const auto& [name, amount] : pod_amounts(spec, "requests")) {
    out["requests." + name] = amount;
    if (std::ranges::find(kPlainResources, name) != std::end(kPlainResources)) out[name] = amount;
  }
  for (const auto& [name, amount] : pod_amounts(spec, "limits")) out["limits." + name] = amount;
}

void count_service(const json::Value& service, ResourceAmounts& out) {
  out["services"] = Quantity::of(1);
  const std::string_view type = json::string_at(service, {"spec", "type"});
  if (type == "LoadBalancer") out["services.loadbalancers"] = Quantity::of(1);
  if (needs_node_ports(service)) {
    out["services.nodeports"] =
        Quantity::of(static_cast<int64_t>(json::array_at(service, {"spec", "ports"}).size()));
  }
}

void count_claim(const json::Value& claim, ResourceAmounts& out) {
  out["persistentvolumeclaims"] = Quantity::of(1);
  const std::string storage_class(json::string_at(claim, {"spec", "storageClassName"}));
  const std::string prefix = storage_class + ".storageclass.storage.k8s.io/";
  if (!storage_class.empty()) out[prefix + "persistentvolumeclaims"] = Quantity::of(1);
  const ResourceAmounts requests = read_amounts(claim, {"spec", "resources", "requests"});
  const auto size = requests.find("storage");
  if (size == requests.end()) return;
  out["requests.storage"] = size->second;
  if (!storage_class.empty()) out[prefix + "requests.storage"] = size->second;
}

}  // namespace

ResourceAmounts read_amounts(const json::Value& object, json::Path path) {
  ResourceAmounts out;
  for (const auto& [name, value] : json::object_at(object, path)) {
    auto amount = Quantity::parse(value.is_string() ? std::string(value.as_string())
                                                    : json::serialize(value));
    if (amount) out[std::string(name)] = *amount;
  }
  return out;
}

void add_amounts(ResourceAmounts& into, const ResourceAmounts& more) {
  for (const auto& [name, amount] : more) into[name] += amount;
}

void subtract_amounts(ResourceAmounts& from, const ResourceAmounts& less) {
  for (const auto& [name, amount] : less) from[name] -= amount;
}

ResourceAmounts pod_amounts(const json::Value& spec, std::string_view list) {
  ResourceAmounts running;
  ResourceAmounts starting;
  for (const json::Value& container : json::array_at(spec, {"initContainers"})) {
    const ResourceAmounts own = read_amounts(container, {"resources", list});
    if (json::string_at(container, {"restartPolicy"}) == "Always") {
      add_amounts(running, own);
      continue;
    }
    // It runs beside the sidecars that started before it.
    ResourceAmounts beside = running;
    add_amounts(beside, own);
    raise_to(starting, beside);
  }
  for (const json::Value& container : json::array_at(spec, {"containers"})) {
    add_amounts(running, read_amounts(container, {"resources", list}));
  }
  raise_to(running, starting);
  if (list == "requests" || !running.empty())
    add_amounts(running, read_amounts(spec, {"overhead"}));
  return running;
}

ResourceAmounts quota_usage(std::string_view group, std::string_view resource,
                            const json::Value& object) {
  ResourceAmounts out;
  std::string name(resource);
  if (!group.empty()) name.append(".").append(group);
  out["count/" + name] = Quantity::of(1);
  if (!group.empty()) return out;
  if (resource == "pods") count_pod(object, out);
  if (resource == "services") count_service(object, out);
  if (resource == "persistentvolumeclaims") count_claim(object, out);
  for (const std::string_view counted :
       {"configmaps", "secrets", "replicationcontrollers", "resourcequotas"}) {
    if (resource == counted) out[std::string(counted)] = Quantity::of(1);
  }
  return out;
}

}  // namespace atl::apiserver

#include "kernel/apiserver/system/system_objects.h"

namespace atl::apiserver {
namespace {

const api::Gvr kNamespaces{"", "v1", "namespaces"};
const api::Gvr kServices{"", "v1", "services"};
const api::Gvr kEndpoints{"", "v1", "endpoints"};
const api::Gvr kSlices{"discovery.k8s.io", "v1", "endpointslices"};
const api::Gvr kPriorityClasses{"scheduling.k8s.io", "v1", "priorityclasses"};
constexpr std::string_view kNamespace = "default";
constexpr std::string_view kService = "kubernetes";

json::Object metadata(std::string_view name, json::Object labels = {}) {
  json::Object out{{"name", name}};
  if (!labels.empty()) out["labels"] = std::move(labels);
  return out;
}

json::Value priority_class(std::string_view name, int64_t value, std::string_view description) {
  return json::Object{{"metadata", metadata(name)}, {"value", value}, {"description", description}};
}

json::Value service(const ApiAddress& address) {
  return json::Object{
      {"metadata", metadata(kService, {{"component", "apiserver"}, {"provider", "kubernetes"}})},
      {"spec",
       json::Object{{"type", "ClusterIP"},
                    {"clusterIP", address.cluster_ip},
                    {"sessionAffinity", "None"},
                    {"ports", json::Array{json::Object{{"name", "https"},
                                                       {"protocol", "TCP"},
                                                       {"port", 443},
                                                       {"targetPort", address.endpoint_port}}}}}}};
}

json::Array endpoint_ports(const ApiAddress& address) {
  return {json::Object{{"name", "https"}, {"protocol", "TCP"}, {"port", address.endpoint_port}}};
}

json::Value endpoints(const ApiAddress& address) {
  return json::Object{
      {"metadata", metadata(kService, {{"endpointslice.kubernetes.io/skip-mirror", "true"}})},
      {"subsets", json::Array{json::Object{
                      {"addresses", json::Array{json::Object{{"ip", address.endpoint_ip}}}},
                      {"ports", endpoint_ports(address)}}}}};
}

json::Value endpoint_slice(const ApiAddress& address) {
  return json::Object{
      {"metadata", metadata(kService, {{"kubernetes.io/service-name", kService}})},
      {"addressType", "IPv4"},
      {"endpoints",
       json::Array{json::Object{{"addresses", json::Array{json::Value(address.endpoint_ip)}},
                                {"conditions", json::Object{{"ready", true}}}}}},
      {"ports", endpoint_ports(address)}};
}

// Creates the object where it is missing; with `repair`, patches the one that is there.
enum class IfThere : uint8_t { kKeep, kRepair };
Task<> ensure(api::Client& client, api::Gvr resource, std::string ns, json::Value wished,
              IfThere if_there) {
  const api::ObjectKey key{ns, std::string(json::string_at(wished, {"metadata", "name"}))};
  auto live = co_await client.get(resource, key);
  if (!live && live.error().code() != Code::kNotFound) co_return std::move(live).error();
  if (!live) {
    auto created = co_await client.create(resource, ns, std::move(wished));
    if (!created && created.error().code() != Code::kExists) co_return std::move(created).error();
    co_return Unit{};
  }
  if (if_there == IfThere::kKeep) co_return Unit{};
  CO_TRY_OK(co_await client.patch(resource, key, api::PatchType::kMerge, std::move(wished)));
  co_return Unit{};
}

}  // namespace

Task<> ensure_system_objects(api::Client& client, ApiAddress address) {
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    json::Value wished = json::Object{{"metadata", metadata(name)}};
    CO_TRY_OK(co_await ensure(client, kNamespaces, "", std::move(wished), IfThere::kKeep));
  }
  json::Value cluster =
      priority_class("system-cluster-critical", 2'000'000'000,
                     "For pods of the system that must run in the cluster, on whichever node.");
  CO_TRY_OK(co_await ensure(client, kPriorityClasses, "", std::move(cluster), IfThere::kKeep));
  json::Value node = priority_class("system-node-critical", 2'000'001'000,
                                    "For pods of the system that must not leave their node.");
  CO_TRY_OK(co_await ensure(client, kPriorityClasses, "", std::move(node), IfThere::kKeep));
  const std::string ns(kNamespace);
  CO_TRY_OK(co_await ensure(client, kServices, ns, service(address), IfThere::kKeep));
  CO_TRY_OK(co_await ensure(client, kEndpoints, ns, endpoints(address), IfThere::kRepair));
  CO_TRY_OK(co_await ensure(client, kSlices, ns, endpoint_slice(address), IfThere::kRepair));
  co_return Unit{};
}

}  // namespace atl::apiserver

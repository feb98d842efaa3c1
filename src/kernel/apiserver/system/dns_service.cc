#include "kernel/apiserver/system/dns_service.h"

namespace atl::apiserver {
namespace {

const api::Gvr kServices{"", "v1", "services"};
const api::Gvr kSlices{"discovery.k8s.io", "v1", "endpointslices"};
constexpr const char* kNamespace = "kube-system";
constexpr const char* kName = "kube-dns";

json::Object port(const char* name, const char* protocol) {
  return {{"name", name}, {"protocol", protocol}, {"port", 53}};
}

json::Array ports() {
  return {port("dns", "UDP"), port("dns-tcp", "TCP")};
}

json::Value service(const std::string& cluster_ip) {
  json::Object labels{
      {"k8s-app", kName},
      {"kubernetes.io/cluster-service", "true"},
      {"kubernetes.io/name", "CoreDNS"}};  // what upstream's is called: charts look for it
  return json::Object{
      {"metadata", json::Object{{"name", kName}, {"labels", std::move(labels)}}},
      {"spec", json::Object{{"type", "ClusterIP"}, {"clusterIP", cluster_ip}, {"ports", ports()}}}};
}

json::Value slice(const std::string& endpoint_ip) {
  return json::Object{
      {"metadata", json::Object{{"name", kName},
                                {"labels", json::Object{{"kubernetes.io/service-name", kName}}}}},
      {"addressType", "IPv4"},
      {"endpoints", json::Array{json::Object{{"addresses", json::Array{json::Value(endpoint_ip)}},
                                             {"conditions", json::Object{{"ready", true}}}}}},
      {"ports", ports()}};
}

}  // namespace

Task<> ensure_dns_service(api::Client& client, std::string cluster_ip, std::string endpoint_ip) {
  auto made = co_await client.create(kServices, kNamespace, service(cluster_ip));
  if (!made && made.error().code() != Code::kExists) co_return std::move(made).error();
  auto slice_made = co_await client.create(kSlices, kNamespace, slice(endpoint_ip));
  if (slice_made) co_return Unit{};
  if (slice_made.error().code() != Code::kExists) co_return std::move(slice_made).error();
  const api::ObjectKey key{kNamespace, kName};
  CO_TRY_OK(co_await client.patch(kSlices, key, api::PatchType::kMerge, slice(endpoint_ip)));
  co_return Unit{};
}

}  // namespace atl::apiserver

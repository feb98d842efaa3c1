#include "kernel/controllers/endpoints.h"

#include <algorithm>
#include <map>

#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr std::string_view kManager = "endpoint-controller";
constexpr std::string_view kHeadless = "service.kubernetes.io/headless";
constexpr std::string_view kOverCapacity = "endpoints.kubernetes.io/over-capacity";

json::Value address_of(const json::Value& service, const EndpointPod& pod) {
  json::Object out{
      {"ip", pod.ips.front()},
      {"targetRef",
       json::Object{{"kind", "Pod"}, {"namespace", pod.ns}, {"name", pod.name}, {"uid", pod.uid}}}};
  if (!pod.node.empty()) out["nodeName"] = pod.node;
  if (!pod.hostname.empty() && pod.subdomain == json::string_at(service, {"metadata", "name"}))
    out["hostname"] = pod.hostname;
  return out;
}

// One subset in the making: addresses by IP.
struct Subset {
  std::map<std::string, json::Value> ready, not_ready;
};

json::Value document_of(const std::vector<EndpointPort>& ports, Subset subset) {
  json::Object out;
  const auto put = [&](std::string_view field, std::map<std::string, json::Value>& addresses) {
    if (addresses.empty()) return;
    json::Array list;
    for (auto& [ip, address] : addresses) list.push_back(std::move(address));
    out[field] = std::move(list);
  };
  put("addresses", subset.ready);
  put("notReadyAddresses", subset.not_ready);
  json::Array list;
  for (const EndpointPort& port : ports) {
    json::Object entry{{"port", port.port}, {"protocol", port.protocol}};
    if (!port.name.empty()) entry["name"] = port.name;
    if (!port.app_protocol.empty()) entry["appProtocol"] = port.app_protocol;
    list.push_back(std::move(entry));
  }
  if (!list.empty()) out["ports"] = std::move(list);
  return out;
}

}  // namespace

EndpointSubsets subsets_of(const json::Value& service, const std::vector<EndpointPod>& pods) {
  const bool publish = json::bool_at(service, {"spec", "publishNotReadyAddresses"});
  const bool portless = json::array_at(service, {"spec", "ports"}).empty();
  std::map<std::vector<EndpointPort>, Subset> groups;
  EndpointSubsets out;
  size_t total = 0;
  for (const EndpointPod& pod : pods) {
    if (pod.terminating && !publish) continue;
    std::vector<EndpointPort> ports = resolve_ports(service, pod);
    if (ports.empty() && !portless) continue;
    if (++total > kEndpointsMax) {
      out.truncated = true;
      break;
    }
    std::sort(ports.begin(), ports.end());
    Subset& subset = groups[std::move(ports)];
    (pod.ready || publish ? subset.ready : subset.not_ready)
        .emplace(pod.ips.front(), address_of(service, pod));
  }
  for (auto& [ports, subset] : groups) out.subsets.push_back(document_of(ports, std::move(subset)));
  return out;
}

EndpointsController::EndpointsController(Deps deps)
    : deps_(deps),
      services_(deps.informers.get(kServices)),
      pods_(deps.informers.get(kPods)),
      endpoints_(deps.informers.get(kEndpoints)) {}

std::vector<api::Informer*> EndpointsController::inputs() {
  return {&services_, &pods_, &endpoints_};
}

void EndpointsController::watch(api::WorkQueue& queue) {
  index_ = std::make_unique<ServiceIndex>(services_, pods_,
                                          [&queue](const api::ObjectKey& key) { queue.add(key); });
  endpoints_.add_handler([&queue](const api::ObjectKey& key, const api::ObjectPtr&,
                                  const api::ObjectPtr&) { queue.add(key); });
}

Task<api::Outcome> EndpointsController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr service = services_.get(key);
  if (!service) {
    CO_TRY_OK(co_await remove(key));
    co_return api::Outcome::done();
  }
  const json::Value document = service->parse();
  if (!selects_pods(document) || service->header().deleting) co_return api::Outcome::done();

  EndpointSubsets wanted = subsets_of(document, index_->pods_of(*service));
  json::Object labels;
  for (const auto& [name, value] : service->header().labels) labels[name] = value;
  labels[kManagedBy] = kManager;
  if (is_headless(document)) labels[kHeadless] = "";

  const api::ObjectPtr old = endpoints_.get(key);
  json::Value next =
      old ? old->parse() : json::Value(json::Object{{"apiVersion", "v1"}, {"kind", "Endpoints"}});
  const json::Value before = next;
  json::set(next, {"metadata", "name"}, json::Value(key.name));
  json::set(next, {"metadata", "namespace"}, json::Value(key.ns));
  json::set(next, {"metadata", "labels"}, std::move(labels));
  if (wanted.truncated)
    json::set(next, {"metadata", "annotations", kOverCapacity}, json::Value("truncated"));
  else
    json::erase(next, {"metadata", "annotations", kOverCapacity});
  if (wanted.subsets.empty())
    json::erase(next, {"subsets"});
  else
    next.as_object()["subsets"] = std::move(wanted.subsets);
  if (json::equal(next, before)) co_return api::Outcome::done();
  if (old) {
    CO_TRY_OK(co_await deps_.client.update(kEndpoints, key, std::move(next)));
  } else {
    const Result<api::ObjectPtr> made =
        co_await deps_.client.create(kEndpoints, key.ns, std::move(next));
    // Made by a run whose event is still on its way, or in a namespace that is going.
    const bool harmless =
        !made && (made.error().code() == Code::kExists || made.error().code() == Code::kForbidden);
    if (!made && !harmless) co_return made.error();
  }
  co_return api::Outcome::done();
}

// Only what this controller made goes with its Service.
Task<> EndpointsController::remove(api::ObjectKey key) {
  const api::ObjectPtr old = endpoints_.get(key);
  if (!old || api::label(old->header().labels, kManagedBy) != kManager) co_return Unit{};
  api::DeleteOptions options;
  options.uid = old->uid();
  const Result<> removed = co_await deps_.client.remove(kEndpoints, key, options);
  if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  co_return Unit{};
}

}  // namespace atl::controllers

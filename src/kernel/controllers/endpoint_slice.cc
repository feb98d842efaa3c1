#include "kernel/controllers/endpoint_slice.h"

#include <algorithm>
#include <set>

#include "kernel/controllers/claim.h"
#include "kernel/controllers/pod_writes.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kServiceName = "kubernetes.io/service-name";
constexpr std::string_view kManagedBy = "endpointslice.kubernetes.io/managed-by";
constexpr std::string_view kManager = "endpointslice-controller.k8s.io";
constexpr std::string_view kHeadless = "service.kubernetes.io/headless";
constexpr Duration kCacheLag = std::chrono::seconds(5);

std::string family_of(std::string_view ip) {
  return ip.find(':') == std::string_view::npos ? "IPv4" : "IPv6";
}

std::vector<std::string> families_of(const json::Value& service) {
  std::vector<std::string> out;
  for (const json::Value& family : json::array_at(service, {"spec", "ipFamilies"})) {
    if (family.is_string()) out.emplace_back(family.get_string());
  }
  if (out.empty()) out.emplace_back("IPv4");
  return out;
}

json::Array ports_document(const std::vector<EndpointPort>& ports) {
  json::Array out;
  for (const EndpointPort& port : ports) {
    json::Object entry{{"name", port.name}, {"port", port.port}, {"protocol", port.protocol}};
    if (!port.app_protocol.empty()) entry["appProtocol"] = port.app_protocol;
    out.push_back(std::move(entry));
  }
  return out;
}

json::Value endpoint_document(const json::Value& service, const EndpointPod& pod,
                              const std::string& ip,
                              const std::map<std::string, std::string>& zones) {
  const bool publish = json::bool_at(service, {"spec", "publishNotReadyAddresses"});
  json::Object conditions{{"ready", publish || (pod.ready && !pod.terminating)},
                          {"serving", pod.ready},
                          {"terminating", pod.terminating}};
  json::Object out{
      {"addresses", json::Array{json::Value(ip)}},
      {"conditions", std::move(conditions)},
      {"targetRef",
       json::Object{{"kind", "Pod"}, {"namespace", pod.ns}, {"name", pod.name}, {"uid", pod.uid}}}};
  if (!pod.node.empty()) {
    out["nodeName"] = pod.node;
    if (const auto zone = zones.find(pod.node); zone != zones.end()) out["zone"] = zone->second;
  }
  if (!pod.hostname.empty() && pod.subdomain == json::string_at(service, {"metadata", "name"}))
    out["hostname"] = pod.hostname;
  return out;
}

std::string uid_of(const json::Value& endpoint) {
  return std::string(json::string_at(endpoint, {"targetRef", "uid"}));
}

// Distributes one group over the slices that have its ports; what is placed leaves `left`.
void keep_in_place(std::map<std::string, json::Value>& left, std::vector<SliceView>& slices,
                   std::vector<bool>& changed) {
  for (size_t i = 0; i < slices.size(); ++i) {
    json::Array kept;
    for (const json::Value& endpoint : slices[i].endpoints) {
      const auto wanted = left.find(uid_of(endpoint));
      if (wanted == left.end() || kept.size() == kSliceMax) continue;
      kept.push_back(wanted->second);
      left.erase(wanted);
    }
    changed[i] = !json::equal(kept, slices[i].endpoints);
    slices[i].endpoints = std::move(kept);
  }
}

void fill(std::map<std::string, json::Value>& left, SliceView& slice) {
  while (!left.empty() && slice.endpoints.size() < kSliceMax) {
    slice.endpoints.push_back(std::move(left.extract(left.begin()).mapped()));
  }
}

void plan_group(const EndpointGroup& group, std::vector<SliceView> slices, SlicePlan& out) {
  std::map<std::string, json::Value> left = group.endpoints;
  std::vector<bool> changed(slices.size());
  keep_in_place(left, slices, changed);
  // New endpoints go where a write is needed anyway, then to the fullest slices with room.
  std::vector<size_t> order(slices.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(!changed[a], -int64_t(slices[a].endpoints.size()), slices[a].name) <
           std::tuple(!changed[b], -int64_t(slices[b].endpoints.size()), slices[b].name);
  });
  for (const size_t i : order) {
    if (left.empty() || slices[i].endpoints.size() >= kSliceMax) continue;
    fill(left, slices[i]);
    changed[i] = true;
  }
  bool one_stays = false;
  for (const SliceView& slice : slices) one_stays = one_stays || !slice.endpoints.empty();
  for (const size_t i : order) {
    // The last slice of a group stays, empty, so that the Service has one.
    if (slices[i].endpoints.empty() && (one_stays || !group.endpoints.empty())) {
      out.remove.push_back(slices[i].name);
    } else if (slices[i].endpoints.empty() && group.endpoints.empty()) {
      one_stays = true;
      if (changed[i]) out.update.push_back(slices[i]);
    } else if (changed[i]) {
      out.update.push_back(slices[i]);
    }
  }
  while (!left.empty()) {
    SliceView fresh{"", group.family, group.ports, {}};
    fill(left, fresh);
    out.create.push_back(std::move(fresh));
  }
  if (group.endpoints.empty() && slices.empty())
    out.create.push_back({"", group.family, group.ports, {}});
}

SliceView view_slice(const api::Object& object) {
  const json::Value document = object.parse();
  return {object.name(), std::string(json::string_at(document, {"addressType"})),
          json::array_at(document, {"ports"}), json::array_at(document, {"endpoints"})};
}

}  // namespace

std::vector<EndpointGroup> desired_groups(const json::Value& service,
                                          const std::vector<EndpointPod>& pods,
                                          const std::map<std::string, std::string>& zones) {
  std::vector<EndpointGroup> groups;
  for (const std::string& family : families_of(service)) {
    const size_t first = groups.size();
    for (const EndpointPod& pod : pods) {
      const auto ip = std::find_if(pod.ips.begin(), pod.ips.end(),
                                   [&](const std::string& a) { return family_of(a) == family; });
      if (ip == pod.ips.end()) continue;
      json::Array ports = ports_document(resolve_ports(service, pod));
      // A pod that has none of the ports serves nobody; a headless Service may have no ports at
      // all.
      if (ports.empty() && !json::array_at(service, {"spec", "ports"}).empty()) continue;
      auto group =
          std::find_if(groups.begin() + int64_t(first), groups.end(),
                       [&](const EndpointGroup& g) { return json::equal(g.ports, ports); });
      if (group == groups.end())
        group = groups.insert(groups.end(), EndpointGroup{family, std::move(ports), {}});
      group->endpoints.emplace(pod.uid, endpoint_document(service, pod, *ip, zones));
    }
    if (groups.size() == first) groups.push_back({family, {}, {}});
  }
  return groups;
}

SlicePlan plan(const std::vector<EndpointGroup>& groups, const std::vector<SliceView>& slices) {
  SlicePlan out;
  std::vector<bool> taken(slices.size());
  for (const EndpointGroup& group : groups) {
    std::vector<SliceView> same;
    for (size_t i = 0; i < slices.size(); ++i) {
      if (taken[i] || slices[i].family != group.family ||
          !json::equal(slices[i].ports, group.ports))
        continue;
      taken[i] = true;
      same.push_back(slices[i]);
    }
    plan_group(group, std::move(same), out);
  }
  for (size_t i = 0; i < slices.size(); ++i) {
    if (!taken[i]) out.remove.push_back(slices[i].name);
  }
  return out;
}

EndpointSliceController::EndpointSliceController(Deps deps)
    : deps_(deps),
      services_(deps.informers.get(kServices)),
      pods_(deps.informers.get(kPods)),
      slices_(deps.informers.get(kEndpointSlices)),
      nodes_(deps.informers.get(kNodes)) {
  slices_.index_owners();
}

std::vector<api::Informer*> EndpointSliceController::inputs() {
  return {&services_, &pods_, &slices_, &nodes_};
}

void EndpointSliceController::watch(api::WorkQueue& queue) {
  index_ = std::make_unique<ServiceIndex>(services_, pods_,
                                          [&queue](const api::ObjectKey& key) { queue.add(key); });
  slices_.add_handler(
      [&queue](const api::ObjectKey&, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        for_controller(before, "Service", [&](const api::ObjectKey& key) { queue.add(key); });
        for_controller(now, "Service", [&](const api::ObjectKey& key) { queue.add(key); });
      });
}

std::vector<api::ObjectPtr> EndpointSliceController::slices_of(const api::Object& service) const {
  std::vector<api::ObjectPtr> out;
  for (const api::ObjectPtr& slice : slices_.owned_by(service.uid())) {
    if (api::label(slice->header().labels, kManagedBy) == kManager && !slice->header().deleting)
      out.push_back(slice);
  }
  return out;
}

std::map<std::string, std::string> EndpointSliceController::zones() const {
  std::map<std::string, std::string> out;
  for (const api::ObjectPtr& node : nodes_.list()) {
    const std::string_view zone = api::label(node->header().labels, "topology.kubernetes.io/zone");
    if (!zone.empty()) out.emplace(node->name(), zone);
  }
  return out;
}

Task<api::Outcome> EndpointSliceController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr service = services_.get(key);
  if (!service) {
    writes_.forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the slices
  }
  writes_.settle(key, slices_);
  if (!writes_.current(key, slices_)) co_return api::Outcome::again_after(kCacheLag);
  json::Value document = service->parse();
  if (!selects_pods(document) || service->header().deleting) co_return api::Outcome::done();

  std::vector<SliceView> slices;
  for (const api::ObjectPtr& slice : slices_of(*service)) slices.push_back(view_slice(*slice));
  SlicePlan todo = plan(desired_groups(document, index_->pods_of(*service), zones()), slices);
  const Result<> done = co_await carry_out(service, std::move(todo));
  if (!done) {
    if (done.error().code() != Code::kConflict) {
      deps_.events.note(*service, api::EventLevel::kWarning, "FailedToUpdateEndpointSlices",
                        done.error().message());
    }
    co_return done.error();
  }
  CO_TRY_OK(co_await refresh_labels(service, std::move(document)));
  co_return api::Outcome::done();
}

json::Object EndpointSliceController::wanted_labels(const api::Object& service,
                                                    const json::Value& document) const {
  json::Object labels;
  for (const auto& [name, value] : service.header().labels) labels[name] = value;
  if (is_headless(document)) labels[kHeadless] = "";
  labels[kServiceName] = service.name();
  labels[kManagedBy] = kManager;
  return labels;
}

Task<> EndpointSliceController::carry_out(api::ObjectPtr service, SlicePlan todo) {
  const json::Value document = service->parse();
  for (SliceView& slice : todo.create) {
    json::Object metadata{{"generateName", service->name() + "-"},
                          {"namespace", service->ns()},
                          {"labels", wanted_labels(*service, document)},
                          {"ownerReferences", json::Array{controller_ref(*service)}}};
    json::Object fresh{
        {"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"},
        {"metadata", std::move(metadata)},     {"addressType", slice.family},
        {"ports", std::move(slice.ports)},     {"endpoints", std::move(slice.endpoints)}};
    const Result<api::ObjectPtr> made =
        co_await deps_.client.create(kEndpointSlices, service->ns(), std::move(fresh));
    if (!made && namespace_terminates(made.error())) co_return Unit{};
    if (!made) co_return made.error();
    writes_.updated(service->key(), (*made)->revision());
  }
  for (SliceView& slice : todo.update) {
    const api::ObjectKey key{service->ns(), slice.name};
    const api::ObjectPtr old = slices_.get(key);
    if (!old) continue;
    json::Value changed = old->parse();
    changed.as_object()["endpoints"] = std::move(slice.endpoints);
    json::set(changed, {"metadata", "labels"}, wanted_labels(*service, document));
    CO_TRY(const api::ObjectPtr made,
           co_await deps_.client.update(kEndpointSlices, key, std::move(changed)));
    writes_.updated(service->key(), made->revision());
  }
  for (const std::string& name : todo.remove) {
    const Result<> removed = co_await deps_.client.remove(kEndpointSlices, {service->ns(), name});
    if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  }
  co_return Unit{};
}

Task<> EndpointSliceController::refresh_labels(api::ObjectPtr service, json::Value document) {
  const json::Value wanted = wanted_labels(*service, document);
  for (const api::ObjectPtr& slice : slices_of(*service)) {
    json::Value changed = slice->parse();
    const json::Value* has = json::find(changed, {"metadata", "labels"});
    if (has && json::equal(*has, wanted)) continue;
    json::set(changed, {"metadata", "labels"}, wanted);
    const Result<api::ObjectPtr> made =
        co_await deps_.client.update(kEndpointSlices, slice->key(), std::move(changed));
    if (!made && made.error().code() != Code::kNotFound) co_return made.error();
  }
  co_return Unit{};
}

}  // namespace atl::controllers

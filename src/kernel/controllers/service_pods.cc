#include "kernel/controllers/service_pods.h"

#include "api/controller/conditions.h"

namespace atl::controllers {
namespace {

// The number that a port name has in a pod; sidecars count.
std::optional<int64_t> named_port(const json::Value& pod, std::string_view name,
                                  std::string_view protocol) {
  for (const std::string_view kind : {"containers", "initContainers"}) {
    for (const json::Value& container : json::array_at(pod, {"spec", kind})) {
      if (kind == "initContainers" && json::string_at(container, {"restartPolicy"}) != "Always")
        continue;
      for (const json::Value& port : json::array_at(container, {"ports"})) {
        if (json::string_at(port, {"name"}) == name &&
            json::string_at(port, {"protocol"}, "TCP") == protocol) {
          return json::int_at(port, {"containerPort"});
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace

EndpointPod view_endpoint_pod(const api::Object& object) {
  EndpointPod pod;
  pod.document = object.parse();
  pod.ns = object.ns();
  pod.name = object.name();
  pod.uid = object.uid();
  pod.node = json::string_at(pod.document, {"spec", "nodeName"});
  pod.hostname = json::string_at(pod.document, {"spec", "hostname"});
  pod.subdomain = json::string_at(pod.document, {"spec", "subdomain"});
  for (const json::Value& entry : json::array_at(pod.document, {"status", "podIPs"})) {
    pod.ips.emplace_back(json::string_at(entry, {"ip"}));
  }
  const std::string_view only = json::string_at(pod.document, {"status", "podIP"});
  if (pod.ips.empty() && !only.empty()) pod.ips.emplace_back(only);
  pod.ready =
      api::condition_is(json::array_at(pod.document, {"status", "conditions"}), "Ready", "True");
  pod.terminating = object.header().deleting;
  const std::string_view phase = json::string_at(pod.document, {"status", "phase"});
  pod.ended = phase == "Succeeded" || phase == "Failed";
  return pod;
}

std::vector<EndpointPort> resolve_ports(const json::Value& service, const EndpointPod& pod) {
  std::vector<EndpointPort> out;
  for (const json::Value& entry : json::array_at(service, {"spec", "ports"})) {
    EndpointPort port;
    port.name = json::string_at(entry, {"name"});
    port.protocol = json::string_at(entry, {"protocol"}, "TCP");
    port.app_protocol = json::string_at(entry, {"appProtocol"});
    const std::string_view name = json::string_at(entry, {"targetPort"});
    if (name.empty()) {
      const int64_t target = json::int_at(entry, {"targetPort"});
      port.port = target > 0 ? target : json::int_at(entry, {"port"});
    } else if (const std::optional<int64_t> found = named_port(pod.document, name, port.protocol)) {
      port.port = *found;
    } else {
      continue;
    }
    out.push_back(std::move(port));
  }
  return out;
}

bool selects_pods(const json::Value& service) {
  return json::string_at(service, {"spec", "type"}) != "ExternalName" &&
         !json::object_at(service, {"spec", "selector"}).empty();
}

bool is_headless(const json::Value& service) {
  return json::string_at(service, {"spec", "clusterIP"}) == "None";
}

ServiceIndex::ServiceIndex(api::Informer& services, api::Informer& pods,
                           std::function<void(const api::ObjectKey&)> wake)
    : pods_(pods), wake_(std::move(wake)) {
  services.add_handler(
      [this](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        selectors_.erase(key);
        if (now) {
          const json::Value document = now->parse();
          if (selects_pods(document)) {
            selectors_.emplace(
                key, api::LabelSelector::from_map(json::object_at(document, {"spec", "selector"})));
          }
        }
        wake_(key);
      });
  pods.add_handler(
      [this](const api::ObjectKey&, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        const bool moved = !before || !now || before->header().labels != now->header().labels;
        if (before && moved) wake_matching(before);
        wake_matching(now);
      });
}

void ServiceIndex::wake_matching(const api::ObjectPtr& pod) const {
  if (!pod) return;
  for (auto it = selectors_.lower_bound({pod->ns(), {}});
       it != selectors_.end() && it->first.ns == pod->ns(); ++it) {
    if (it->second.matches(pod->header().labels)) wake_(it->first);
  }
}

std::vector<EndpointPod> ServiceIndex::pods_of(const api::Object& service) const {
  std::vector<EndpointPod> out;
  const auto selector = selectors_.find(service.key());
  if (selector == selectors_.end()) return out;
  for (const api::ObjectPtr& pod : pods_.list(service.ns())) {
    if (!selector->second.matches(pod->header().labels)) continue;
    EndpointPod view = view_endpoint_pod(*pod);
    if (!view.ended && !view.ips.empty()) out.push_back(std::move(view));
  }
  return out;
}

}  // namespace atl::controllers

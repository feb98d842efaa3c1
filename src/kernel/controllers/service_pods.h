#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/cache/informer.h"
#include "api/select/select.h"

namespace atl::controllers {

// A port of a Service, resolved against one pod.
struct EndpointPort {
  std::string name, protocol, app_protocol;
  int64_t port = 0;
  auto operator<=>(const EndpointPort&) const = default;
};

// A pod as a Service sees it. Value type.
struct EndpointPod {
  std::string ns, name, uid, node, hostname, subdomain;
  std::vector<std::string> ips;
  bool ready = false;
  bool terminating = false;
  bool ended = false;  // Succeeded or Failed: serves nobody
  json::Value document;
};
EndpointPod view_endpoint_pod(const api::Object& pod);

// The Service's ports on this pod: numbers as they are, names looked up in its containers; a name
// that the pod does not have is left out.
std::vector<EndpointPort> resolve_ports(const json::Value& service, const EndpointPod& pod);

// What ShouldServe says of a Service: it has a selector, and is no ExternalName.
bool selects_pods(const json::Value& service);
bool is_headless(const json::Value& service);

// The selectors of all Services, parsed once, so that a pod's event finds its Services without
// parsing them. Hangs a handler on the informer of Services; calls `wake` for Services that changed
// and Services of pods that changed.
class ServiceIndex {
 public:
  ServiceIndex(api::Informer& services, api::Informer& pods,
               std::function<void(const api::ObjectKey&)> wake);
  // Pods that the Service's selector matches, ended ones left out.
  std::vector<EndpointPod> pods_of(const api::Object& service) const;

 private:
  void wake_matching(const api::ObjectPtr& pod) const;

  api::Informer& pods_;
  std::function<void(const api::ObjectKey&)> wake_;
  std::map<api::ObjectKey, api::LabelSelector> selectors_;
};

}  // namespace atl::controllers

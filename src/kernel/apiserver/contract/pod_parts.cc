#include "kernel/apiserver/contract/pod_parts.h"

#include <algorithm>

#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {

bool is_resource(const AdmissionRequest& request, std::string_view group,
                 std::string_view resource) {
  return request.subresource.empty() && request.kind->gvr.group == group &&
         request.kind->gvr.resource == resource;
}

bool creates_pod(const AdmissionRequest& request) {
  return request.operation == Operation::kCreate && request.object != nullptr &&
         is_resource(request, "", "pods");
}

bool is_mirror_pod(const json::Value& pod) {
  return json::object_at(pod, {"metadata", "annotations"}).contains("kubernetes.io/config.mirror");
}

void each_container(const json::Value& spec, std::string_view spec_path,
                    const std::function<void(const json::Value&, const std::string&)>& visit) {
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    size_t index = 0;
    for (const json::Value& container : json::array_at(spec, {list})) {
      visit(container, at(under(spec_path, list), index++));
    }
  }
}

void each_container(json::Value& spec, const std::function<void(json::Value&)>& visit) {
  for (const std::string_view list : {"initContainers", "containers"}) {
    json::Value* containers = json::find(spec, {list});
    if (containers == nullptr || !containers->is_array()) continue;
    for (json::Value& container : containers->as_array()) visit(container);
  }
}

PodSpecAt find_pod_spec(std::string_view group, std::string_view resource,
                        const json::Value& object) {
  const auto found = [&](json::Path template_path, std::string path) {
    const json::Value* holder = json::find(object, template_path);
    if (holder == nullptr) return PodSpecAt{};
    return PodSpecAt{json::find(*holder, {"spec"}), json::find(*holder, {"metadata"}),
                     std::move(path)};
  };
  const auto one_of = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::count(names, resource) > 0;
  };
  if (group.empty() && resource == "pods") return found({}, "spec");
  if (group.empty() && resource == "podtemplates") return found({"template"}, "template.spec");
  if (group == "batch" && resource == "cronjobs") {
    return found({"spec", "jobTemplate", "spec", "template"},
                 "spec.jobTemplate.spec.template.spec");
  }
  const bool workload =
      (group == "apps" && one_of({"deployments", "replicasets", "statefulsets", "daemonsets"})) ||
      (group == "batch" && resource == "jobs") ||
      (group.empty() && resource == "replicationcontrollers");
  return workload ? found({"spec", "template"}, "spec.template.spec") : PodSpecAt{};
}

}  // namespace atl::apiserver

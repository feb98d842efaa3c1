#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/text/json.h"
#include "kernel/apiserver/contract/admission.h"

// Pods as several steps look at them.
namespace atl::apiserver {

// The resource itself of a group, whatever its version: is_resource(request, "", "pods").
bool is_resource(const AdmissionRequest& request, std::string_view group,
                 std::string_view resource);
// A new pod.
bool creates_pod(const AdmissionRequest& request);
// A pod that stands for a file on a node: written by the node, run by nobody else.
bool is_mirror_pod(const json::Value& pod);

// Every container of a pod's spec: init, ordinary and ephemeral ones, with its path below
// `spec_path`
// ("spec.initContainers[0]").
void each_container(
    const json::Value& spec, std::string_view spec_path,
    const std::function<void(const json::Value& container, const std::string& path)>& visit);
// Init and ordinary ones, to be changed.
void each_container(json::Value& spec, const std::function<void(json::Value& container)>& visit);

// Where the pod's spec stands in an object that holds or is a pod: "spec" of Pods,
// "spec.template.spec" of workloads, "spec.jobTemplate.spec.template.spec" of CronJobs,
// "template.spec" of PodTemplates. Null where there is none.
struct PodSpecAt {
  const json::Value* spec = nullptr;
  const json::Value* metadata = nullptr;
  std::string path;  // of the spec
};
PodSpecAt find_pod_spec(std::string_view group, std::string_view resource,
                        const json::Value& object);

}  // namespace atl::apiserver

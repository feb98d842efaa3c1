#include "kernel/node/pod/pod_spec.h"

#include <algorithm>

#include "kernel/node/json_read.h"

namespace atl::node {
namespace {

void add_containers(PodSpec& pod, std::string_view list, bool init) {
  for (const json::Value& c : json::array_at(pod.doc, {"spec", list})) {
    ContainerSpec spec;
    spec.name = json::string_at(c, {"name"});
    spec.image = json::string_at(c, {"image"});
    if (init) {
      spec.role = json::string_at(c, {"restartPolicy"}) == "Always" ? ContainerSpec::Role::kSidecar
                                                                    : ContainerSpec::Role::kInit;
    }
    spec.doc = c;
    pod.containers.push_back(std::move(spec));
  }
}

RestartPolicy policy_of(std::string_view text) {
  if (text == "Never") return RestartPolicy::kNever;
  return text == "OnFailure" ? RestartPolicy::kOnFailure : RestartPolicy::kAlways;
}

}  // namespace

const ContainerSpec* PodSpec::find(std::string_view container) const {
  const auto it = std::find_if(containers.begin(), containers.end(),
                               [&](const ContainerSpec& c) { return c.name == container; });
  return it == containers.end() ? nullptr : &*it;
}

bool PodSpec::finished() const {
  const std::string_view phase = json::string_at(doc, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

Result<PodSpecPtr> read_pod(const api::Object& object) {
  TRY(const PodSpecPtr spec, read_pod(object.parse()));
  auto with_revision = std::make_shared<PodSpec>(*spec);
  with_revision->revision = object.revision();
  return PodSpecPtr(std::move(with_revision));
}

Result<PodSpecPtr> read_pod(json::Value document) {
  auto pod = std::make_shared<PodSpec>();
  pod->doc = std::move(document);
  const json::Value& d = pod->doc;
  pod->uid = json::string_at(d, {"metadata", "uid"});
  pod->ns = json::string_at(d, {"metadata", "namespace"});
  pod->name = json::string_at(d, {"metadata", "name"});
  pod->generation = json::int_at(d, {"metadata", "generation"});
  if (pod->uid.empty() || pod->name.empty())
    return Error(Code::kInvalid, "a pod without name or uid");
  add_containers(*pod, "initContainers", true);
  add_containers(*pod, "containers", false);
  pod->restart_policy = policy_of(json::string_at(d, {"spec", "restartPolicy"}, "Always"));
  pod->host_network = json::bool_at(d, {"spec", "hostNetwork"});
  pod->share_processes = json::bool_at(d, {"spec", "shareProcessNamespace"});
  int64_t grace = json::int_at(d, {"spec", "terminationGracePeriodSeconds"}, 30);
  if (const auto at = parse_rfc3339(json::string_at(d, {"metadata", "deletionTimestamp"}))) {
    pod->deleting = at;
    grace = json::int_at(d, {"metadata", "deletionGracePeriodSeconds"}, grace);
  }
  pod->grace = span_of_seconds(grace);
  if (json::find(d, {"spec", "activeDeadlineSeconds"})) {
    pod->active_deadline = span_of_seconds(json::int_at(d, {"spec", "activeDeadlineSeconds"}));
  }
  return PodSpecPtr(std::move(pod));
}

}  // namespace atl::node

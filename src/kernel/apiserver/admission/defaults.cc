#include "kernel/apiserver/admission/defaults.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/admission/kinds/pod_defaults.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

bool has_text(const json::Array& list, std::string_view text) {
  return std::ranges::any_of(
      list, [&](const json::Value& item) { return item.is_string() && item.as_string() == text; });
}

}  // namespace

Task<> PodDefaults::mutate(AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  json::Value* spec = json::find(*request.object, {"spec"});
  if (spec != nullptr && spec->is_object()) default_pod_spec(*spec);
  default_pod(*request.object);
  co_return Unit{};
}

DefaultClass::Names DefaultClass::storage() {
  return {"DefaultStorageClass",    "",
          "persistentvolumeclaims", "storage.k8s.io",
          "storageclasses",         "storageclass.kubernetes.io/is-default-class",
          "storageClassName"};
}

DefaultClass::Names DefaultClass::ingress() {
  return {"DefaultIngressClass", "networking.k8s.io", "ingresses",
          "networking.k8s.io",   "ingressclasses",    "ingressclass.kubernetes.io/is-default-class",
          "ingressClassName"};
}

std::string DefaultClass::find_default() const {
  std::string best;
  std::string best_time;
  reader_.each(names_.class_group, names_.class_resource, "", [&](const api::ObjectPtr& object) {
    const json::Value document = object->parse();
    if (json::string_at(document, {"metadata", "annotations", names_.annotation}) != "true")
      return true;
    // RFC 3339 in UTC sorts as text.
    const std::string time(json::string_at(document, {"metadata", "creationTimestamp"}));
    if (best.empty() || time > best_time) best = object->name(), best_time = time;
    return true;
  });
  return best;
}

Task<> DefaultClass::mutate(AdmissionRequest& request) {
  if (request.operation != Operation::kCreate ||
      !is_resource(request, names_.group, names_.resource))
    co_return Unit{};
  json::Value& object = *request.object;
  // "" asks for no class at all.
  if (json::find(object, {"spec", names_.field}) != nullptr) co_return Unit{};
  if (!json::string_at(object, {"metadata", "annotations", "kubernetes.io/ingress.class"}).empty())
    co_return Unit{};
  const std::string name = find_default();
  if (!name.empty()) json::set(object, {"spec", names_.field}, json::Value(name));
  co_return Unit{};
}

Task<> StorageObjectInUseProtection::mutate(AdmissionRequest& request) {
  if (request.operation != Operation::kCreate) co_return Unit{};
  std::string_view finalizer;
  if (is_resource(request, "", "persistentvolumeclaims"))
    finalizer = "kubernetes.io/pvc-protection";
  if (is_resource(request, "", "persistentvolumes")) finalizer = "kubernetes.io/pv-protection";
  if (finalizer.empty()) co_return Unit{};
  json::Array finalizers = json::array_at(*request.object, {"metadata", "finalizers"});
  if (has_text(finalizers, finalizer)) co_return Unit{};
  finalizers.emplace_back(finalizer);
  json::set(*request.object, {"metadata", "finalizers"}, std::move(finalizers));
  co_return Unit{};
}

Task<> RuntimeClassAdmission::mutate(AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  json::Value& pod = *request.object;
  const std::string name(json::string_at(pod, {"spec", "runtimeClassName"}));
  if (name.empty()) co_return Unit{};
  const api::ObjectPtr object = reader_.get("node.k8s.io", "runtimeclasses", {"", name});
  if (!object)
    co_return admission_refused(request,
                                fmt::format("pod rejected: RuntimeClass \"{}\" not found", name));
  const json::Value runtime = object->parse();
  const json::Object& overhead = json::object_at(runtime, {"overhead", "podFixed"});
  if (!overhead.empty()) {
    const json::Value* own = json::find(pod, {"spec", "overhead"});
    if (own != nullptr && !json::equal(*own, overhead)) {
      co_return admission_refused(
          request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    }
    json::set(pod, {"spec", "overhead"}, overhead);
  }
  for (const auto& [key, value] : json::object_at(runtime, {"scheduling", "nodeSelector"})) {
    const json::Value* own = json::find(pod, {"spec", "nodeSelector", key});
    if (own != nullptr && !json::equal(*own, value)) {
      co_return admission_refused(
          request, fmt::format("conflict: runtimeClass.scheduling.nodeSelector[{}] = {}; "
                               "pod.spec.nodeSelector[{}] = {}",
                               std::string_view(key), json::serialize(value), std::string_view(key),
                               json::serialize(*own)));
    }
    json::set(pod, {"spec", "nodeSelector", key}, value);
  }
  json::Array tolerations = json::array_at(pod, {"spec", "tolerations"});
  for (const json::Value& toleration : json::array_at(runtime, {"scheduling", "tolerations"})) {
    const bool there = std::ranges::any_of(
        tolerations, [&](const json::Value& own) { return json::equal(own, toleration); });
    if (!there) tolerations.push_back(toleration);
  }
  if (!tolerations.empty()) json::set(pod, {"spec", "tolerations"}, std::move(tolerations));
  co_return Unit{};
}

Task<> RuntimeClassAdmission::validate(const AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  const json::Value& pod = *request.object;
  const bool overhead = !json::object_at(pod, {"spec", "overhead"}).empty();
  if (overhead && json::string_at(pod, {"spec", "runtimeClassName"}).empty()) {
    co_return admission_refused(
        request,
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
  }
  co_return Unit{};
}

}  // namespace atl::apiserver

#include "kernel/apiserver/admission/kinds/pod_defaults.h"

#include <algorithm>

#include "base/text/quantity.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

void set_if_missing(json::Value& object, std::string_view field, json::Value value) {
  if (object.is_object() && !object.as_object().contains(field))
    object.as_object()[field] = std::move(value);
}

json::Array* list_of(json::Value& object, std::string_view field) {
  json::Value* list = json::find(object, {field});
  return list != nullptr && list->is_array() ? &list->as_array() : nullptr;
}

void default_container(json::Value& container, bool host_network) {
  const std::string_view image = json::string_at(container, {"image"});
  if (json::string_at(container, {"imagePullPolicy"}).empty() && container.is_object()) {
    container.as_object()["imagePullPolicy"] = pull_policy_of(image);
  }
  json::Array* ports = list_of(container, "ports");
  if (!host_network || ports == nullptr) return;
  for (json::Value& port : *ports) {
    if (port.is_object() && json::int_at(port, {"hostPort"}) == 0) {
      port.as_object()["hostPort"] = json::int_at(port, {"containerPort"});
    }
  }
}

void default_volume(json::Value& volume) {
  if (!volume.is_object()) return;
  if (volume.as_object().size() == 1 && volume.as_object().contains("name"))
    volume.as_object()["emptyDir"] = json::Object{};
  if (json::Value* path = json::find(volume, {"hostPath"})) set_if_missing(*path, "type", "");
}

void requests_follow_limits(json::Value& holder) {
  const json::Object limits = json::object_at(holder, {"resources", "limits"});
  for (const auto& [name, amount] : limits) {
    if (json::find(holder, {"resources", "requests", name}) == nullptr) {
      json::set(holder, {"resources", "requests", name}, amount);
    }
  }
}

bool positive(const json::Value& container, std::string_view list, std::string_view resource) {
  const auto amount = Quantity::parse(json::string_at(container, {"resources", list, resource}));
  return amount && !amount->zero() && !amount->negative();
}

bool same_amount(const json::Value& container, std::string_view resource) {
  const auto request =
      Quantity::parse(json::string_at(container, {"resources", "requests", resource}));
  const auto limit = Quantity::parse(json::string_at(container, {"resources", "limits", resource}));
  return request && limit && *request == *limit;
}

}  // namespace

std::string_view pull_policy_of(std::string_view image) {
  const size_t digest = image.find('@');
  const std::string_view named = image.substr(0, digest);
  const size_t colon = named.rfind(':');
  const size_t slash = named.rfind('/');
  // A colon before the last slash belongs to the registry's port.
  const bool has_tag =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  if (!has_tag) return digest == std::string_view::npos ? "Always" : "IfNotPresent";
  return named.substr(colon + 1) == "latest" ? "Always" : "IfNotPresent";
}

void default_pod_spec(json::Value& spec) {
  const bool host_network = json::bool_at(spec, {"hostNetwork"});
  each_container(spec, [&](json::Value& container) { default_container(container, host_network); });
  if (json::Array* volumes = list_of(spec, "volumes"))
    std::ranges::for_each(*volumes, default_volume);
}

void default_pod(json::Value& pod) {
  json::Value* spec = json::find(pod, {"spec"});
  if (spec == nullptr || !spec->is_object()) return;
  each_container(*spec, requests_follow_limits);
  set_if_missing(*spec, "enableServiceLinks", true);
}

std::string_view quality_of(const json::Value& spec) {
  bool any = false;
  bool guaranteed = true;
  each_container(spec, "spec", [&](const json::Value& container, const std::string&) {
    for (const std::string_view resource : {"cpu", "memory"}) {
      any = any || positive(container, "requests", resource) ||
            positive(container, "limits", resource);
      guaranteed =
          guaranteed && positive(container, "limits", resource) && same_amount(container, resource);
    }
  });
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace atl::apiserver

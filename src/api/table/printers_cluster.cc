#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "api/table/printers_impl.h"
#include "api/table/table.h"

// Nodes, events, secrets, quotas, certificates, RBAC, admission, flow control, devices, API
// services.
namespace atl::api::printers {
namespace {

using json::array_at;
using json::find;
using json::int_at;
using json::object_at;
using json::string_at;

json::Value node_status(const json::Value& node, WallTime) {
  std::string out = "Unknown";
  if (const json::Value* ready = condition(node, "Ready"))
    out = string_at(*ready, {"status"}) == "True" ? "Ready" : "NotReady";
  if (json::bool_at(node, {"spec", "unschedulable"})) out += ",SchedulingDisabled";
  return text(out);
}

json::Value node_roles(const json::Value& node, WallTime) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& [key, value] : object_at(node, {"metadata", "labels"})) {
    const std::string_view name = key;
    if (name.starts_with(kPrefix) && name.size() > kPrefix.size())
      roles.emplace(name.substr(kPrefix.size()));
    if (name == "kubernetes.io/role" && value.is_string() && !value.get_string().empty())
      roles.emplace(value.get_string());
  }
  return text_or(fmt::format("{}", fmt::join(roles, ",")), kNone);
}

json::Value node_address(const json::Value& node, std::string_view type) {
  for (const json::Value& address : array_at(node, {"status", "addresses"})) {
    if (string_at(address, {"type"}) == type) return text(string_at(address, {"address"}));
  }
  return text(kNone);
}

json::Value node_kernel(const json::Value& node, WallTime) {
  const std::string_view arch = string_at(node, {"status", "nodeInfo", "architecture"});
  const std::string_view kernel =
      string_at(node, {"status", "nodeInfo", "kernelVersion"}, kUnknown);
  return text(fmt::format("{}{}", kernel, arch.empty() ? "" : fmt::format(" ({})", arch)));
}

json::Value node_info(const json::Value& node, std::string_view member) {
  return text_or(string_at(node, {"status", "nodeInfo", member}), kUnknown);
}

// An event's member by its name in core/v1 or, failing that, in events.k8s.io/v1.
std::string_view either(const json::Value& event, json::Path core, json::Path events) {
  const std::string_view value = string_at(event, core);
  return value.empty() ? string_at(event, events) : value;
}

std::string_view first_seen_time(const json::Value& event) {
  const std::string_view first = either(event, {"firstTimestamp"}, {"deprecatedFirstTimestamp"});
  return first.empty() ? string_at(event, {"eventTime"}) : first;
}

json::Value first_seen(const json::Value& event, WallTime now) {
  return text(age_of(first_seen_time(event), now));
}

json::Value last_seen(const json::Value& event, WallTime now) {
  if (find(event, {"series"}))
    return text(age_of(string_at(event, {"series", "lastObservedTime"}), now));
  const std::string_view last = either(event, {"lastTimestamp"}, {"deprecatedLastTimestamp"});
  return text(age_of(last.empty() ? first_seen_time(event) : last, now));
}

json::Value event_count(const json::Value& event, WallTime) {
  if (find(event, {"series"})) return int_at(event, {"series", "count"});
  return std::max<int64_t>(1,
                           std::max(int_at(event, {"count"}), int_at(event, {"deprecatedCount"})));
}

json::Value event_object(const json::Value& event, WallTime) {
  const std::string kind = lower(either(event, {"involvedObject", "kind"}, {"regarding", "kind"}));
  const std::string_view name = either(event, {"involvedObject", "name"}, {"regarding", "name"});
  return text(name.empty() ? kind : fmt::format("{}/{}", kind, name));
}

json::Value event_source(const json::Value& event, WallTime) {
  std::string_view component =
      either(event, {"source", "component"}, {"deprecatedSource", "component"});
  if (component.empty()) component = either(event, {"reportingComponent"}, {"reportingController"});
  std::string_view host = either(event, {"source", "host"}, {"deprecatedSource", "host"});
  if (host.empty()) host = string_at(event, {"reportingInstance"});
  return text(host.empty() ? std::string(component) : fmt::format("{}, {}", component, host));
}

json::Value event_message(const json::Value& event, WallTime) {
  std::string_view message = either(event, {"message"}, {"note"});
  const size_t from = message.find_first_not_of(" \t\r\n");
  if (from == message.npos) return text("");
  message = message.substr(from, message.find_last_not_of(" \t\r\n") - from + 1);
  return text(message);
}

// "cpu: 1/2, pods: 3/10" of a quota: the names of one column are those with "limits." in front.
json::Value quota(const json::Value& document, std::string_view wanted) {
  std::set<std::string> names;
  for (const auto& [name, _] : object_at(document, {"status", "hard"})) names.emplace(name);
  std::vector<std::string> pieces;
  for (const std::string& name : names) {
    if (name.starts_with("limits.") != (wanted == "limits")) continue;
    pieces.push_back(fmt::format("{}: {}/{}", name,
                                 number_text(find(document, {"status", "used", name}), "0"),
                                 number_text(find(document, {"status", "hard", name}), "0")));
  }
  return text(fmt::format("{}", fmt::join(pieces, ", ")));
}

json::Value component(const json::Value& document, std::string_view member) {
  for (const json::Value& item : array_at(document, {"conditions"})) {
    if (string_at(item, {"type"}) != "Healthy") continue;
    if (member == "status")
      return text(string_at(item, {"status"}) == "True" ? "Healthy" : "Unhealthy");
    return text(string_at(item, {member}));
  }
  return text(member == "status" ? "Unknown" : "");
}

}  // namespace

std::span<const Printer> cluster_printers() {
  static constexpr Printer kPrinters[] = {
      {"node.status", node_status},
      {"node.roles", node_roles},
      {"node.internal_ip",
       [](const json::Value& d, WallTime) { return node_address(d, "InternalIP"); }},
      {"node.external_ip",
       [](const json::Value& d, WallTime) { return node_address(d, "ExternalIP"); }},
      {"node.os_image", [](const json::Value& d, WallTime) { return node_info(d, "osImage"); }},
      {"node.kernel_version", node_kernel},
      {"node.container_runtime",
       [](const json::Value& d, WallTime) { return node_info(d, "containerRuntimeVersion"); }},
      {"event.last_seen", last_seen},
      {"event.first_seen", first_seen},
      {"event.object", event_object},
      {"event.subobject",
       [](const json::Value& d, WallTime) {
         return text(either(d, {"involvedObject", "fieldPath"}, {"regarding", "fieldPath"}));
       }},
      {"event.source", event_source},
      {"event.message", event_message},
      {"event.count", event_count},
      {"secret.data",
       [](const json::Value& d, WallTime) { return json::Value(object_at(d, {"data"}).size()); }},
      {"config_map.data",
       [](const json::Value& d, WallTime) {
         return json::Value(object_at(d, {"data"}).size() + object_at(d, {"binaryData"}).size());
       }},
      {"resource_quota.request",
       [](const json::Value& d, WallTime) { return quota(d, "requests"); }},
      {"resource_quota.limit", [](const json::Value& d, WallTime) { return quota(d, "limits"); }},
      {"component_status.status",
       [](const json::Value& d, WallTime) { return component(d, "status"); }},
      {"component_status.message",
       [](const json::Value& d, WallTime) { return component(d, "message"); }},
      {"component_status.error",
       [](const json::Value& d, WallTime) { return component(d, "error"); }},
  };
  return kPrinters;
}

}  // namespace atl::api::printers

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

json::Value certificate_condition(const json::Value& request, WallTime) {
  std::string out = condition(request, "Denied")     ? "Denied"
                    : condition(request, "Approved") ? "Approved"
                                                     : "Pending";
  if (condition(request, "Failed")) out += ",Failed";
  if (!string_at(request, {"status", "certificate"}).empty()) out += ",Issued";
  return text(out);
}

json::Value requested_duration(const json::Value& request, WallTime) {
  if (!find(request, {"spec", "expirationSeconds"})) return text(kNone);
  return text(human_duration(std::chrono::seconds(int_at(request, {"spec", "expirationSeconds"}))));
}

json::Value subjects(const json::Value& binding, std::string_view kind) {
  std::vector<std::string> names;
  for (const json::Value& subject : array_at(binding, {"subjects"})) {
    if (string_at(subject, {"kind"}) != kind) continue;
    const std::string_view name = string_at(subject, {"name"});
    names.push_back(kind == "ServiceAccount"
                        ? fmt::format("{}/{}", string_at(subject, {"namespace"}), name)
                        : std::string(name));
  }
  return text(fmt::format("{}", fmt::join(names, ", ")));
}

json::Value param_kind(const json::Value& policy, WallTime) {
  if (!find(policy, {"spec", "paramKind"})) return text(kUnset);
  return text(fmt::format("{}/{}", string_at(policy, {"spec", "paramKind", "apiVersion"}),
                          string_at(policy, {"spec", "paramKind", "kind"})));
}

json::Value param_ref(const json::Value& binding, WallTime) {
  const std::string_view name = string_at(binding, {"spec", "paramRef", "name"});
  if (!name.empty())
    return text(
        fmt::format("{}/{}", string_at(binding, {"spec", "paramRef", "namespace"}, "*"), name));
  const json::Value* selector = find(binding, {"spec", "paramRef", "selector"});
  return text(selector ? std::string_view(selector_text(selector)) : kUnset);
}

json::Value queuing(const json::Value& level, std::string_view member) {
  const json::Value* value = find(level, {"spec", "limited", "limitResponse", "queuing", member});
  return value ? *value : text(kNone);
}

json::Value missing_level(const json::Value& schema, WallTime) {
  const json::Value* dangling = condition(schema, "Dangling");
  return text(dangling ? string_at(*dangling, {"status"}) : "?");
}

json::Value claim_state(const json::Value& claim, WallTime) {
  const bool deleted = find(claim, {"metadata", "deletionTimestamp"}) != nullptr;
  std::string out = deleted ? "deleted" : "";
  if (!find(claim, {"status", "allocation"})) return text(deleted ? out : "pending");
  out += out.empty() ? "allocated" : ",allocated";
  if (!array_at(claim, {"status", "reservedFor"}).empty()) out += ",reserved";
  return text(out);
}

json::Value api_service(const json::Value& document, WallTime) {
  if (!find(document, {"spec", "service"})) return text("Local");
  return text(fmt::format("{}/{}", string_at(document, {"spec", "service", "namespace"}),
                          string_at(document, {"spec", "service", "name"})));
}

// "True", or "False (MissingEndpoints)".
json::Value api_service_available(const json::Value& document, WallTime) {
  const json::Value* available = condition(document, "Available");
  if (!available) return text("Unknown");
  const std::string_view status = string_at(*available, {"status"});
  if (status == "True") return text("True");
  return text(fmt::format("{} ({})", status, string_at(*available, {"reason"})));
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

template <class... Members>
json::Value count(const json::Value& document, Members... members) {
  return json::Value(array_at(document, {members...}).size());
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
      {"certificate_signing_request.requestor",
       [](const json::Value& d, WallTime) { return text(string_at(d, {"spec", "username"})); }},
      {"certificate_signing_request.requestedduration", requested_duration},
      {"certificate_signing_request.condition", certificate_condition},
      {"role_binding.role",
       [](const json::Value& d, WallTime) {
         return text(fmt::format("{}/{}", string_at(d, {"roleRef", "kind"}),
                                 string_at(d, {"roleRef", "name"})));
       }},
      {"role_binding.users", [](const json::Value& d, WallTime) { return subjects(d, "User"); }},
      {"role_binding.groups", [](const json::Value& d, WallTime) { return subjects(d, "Group"); }},
      {"role_binding.serviceaccounts",
       [](const json::Value& d, WallTime) { return subjects(d, "ServiceAccount"); }},
      {"webhook_configuration.webhooks",
       [](const json::Value& d, WallTime) { return count(d, "webhooks"); }},
      {"validating_admission_policy.validations",
       [](const json::Value& d, WallTime) { return count(d, "spec", "validations"); }},
      {"mutating_admission_policy.mutations",
       [](const json::Value& d, WallTime) { return count(d, "spec", "mutations"); }},
      {"admission_policy.paramkind", param_kind},
      {"admission_policy_binding.paramref", param_ref},
      {"flow_schema.distinguishermethod",
       [](const json::Value& d, WallTime) {
         return text(string_at(d, {"spec", "distinguisherMethod", "type"}, kNone));
       }},
      {"flow_schema.missingpl", missing_level},
      {"priority_level.nominalconcurrencyshares",
       [](const json::Value& d, WallTime) {
         const json::Value* value = find(d, {"spec", "limited", "nominalConcurrencyShares"});
         return value ? *value : text(kNone);
       }},
      {"priority_level.queues",
       [](const json::Value& d, WallTime) { return queuing(d, "queues"); }},
      {"priority_level.handsize",
       [](const json::Value& d, WallTime) { return queuing(d, "handSize"); }},
      {"priority_level.queuelengthlimit",
       [](const json::Value& d, WallTime) { return queuing(d, "queueLengthLimit"); }},
      {"priority_class.global_default",
       [](const json::Value& d, WallTime) {
         return json::Value(json::bool_at(d, {"globalDefault"}));
       }},
      {"resource_claim.state", claim_state},
      {"resource_slice.node",
       [](const json::Value& d, WallTime) { return text(string_at(d, {"spec", "nodeName"})); }},
      {"api_service.service", api_service},
      {"api_service.available", api_service_available},
  };
  return kPrinters;
}

}  // namespace atl::api::printers

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "api/table/printers_impl.h"
#include "api/table/table.h"

// Certificates, RBAC, admission, flow control, priorities, devices, API services.
namespace atl::api::printers {
namespace {

using json::array_at;
using json::find;
using json::int_at;
using json::string_at;

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

template <class... Members>
json::Value count(const json::Value& document, Members... members) {
  return json::Value(array_at(document, {members...}).size());
}

}  // namespace

std::span<const Printer> policy_printers() {
  static constexpr Printer kPrinters[] = {
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

#include "kernel/apiserver/admission/resource_quota.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

// "a=1,b=2" of the given keys.
std::string shown(const std::vector<std::string>& keys, const ResourceAmounts& amounts) {
  std::vector<std::string> parts;
  for (const std::string& key : keys) {
    const auto at = amounts.find(key);
    parts.push_back(key + "=" + (at == amounts.end() ? "0" : at->second.text()));
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

// Keys about cpu and memory only make sense where every container says its share.
bool must_be_given(std::string_view key) {
  for (const std::string_view name : {"cpu", "memory"}) {
    if (key == name || key == "requests." + std::string(name) ||
        key == "limits." + std::string(name))
      return true;
  }
  return false;
}

std::string missing_shares(const json::Value& pod, const ResourceAmounts& hard) {
  std::map<std::string, std::vector<std::string>> missing;
  for (const auto& [key, _] : hard) {
    if (!must_be_given(key)) continue;
    const bool limit = key.starts_with("limits.");
    const size_t dot = key.find('.');
    const std::string name = dot == std::string::npos ? key : key.substr(dot + 1);
    each_container(json::object_at(pod, {"spec"}), "spec",
                   [&](const json::Value& container, const std::string& path) {
                     if (path.find("ephemeralContainers") != std::string::npos) return;
                     if (json::find(container, {"resources", limit ? "limits" : "requests",
                                                name}) == nullptr) {
                       missing[key].emplace_back(json::string_at(container, {"name"}));
                     }
                   });
  }
  std::vector<std::string> parts;
  for (const auto& [key, containers] : missing)
    parts.push_back(fmt::format("{} for: {}", key, fmt::join(containers, ",")));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

ResourceAmounts ResourceQuotaAdmission::used(const json::Value& quota) {
  const std::string ns(json::string_at(quota, {"metadata", "namespace"}));
  std::map<std::pair<std::string, std::string>, ResourceAmounts> by_resource;
  ResourceAmounts out;
  for (const auto& [key, _] : read_amounts(quota, {"spec", "hard"})) {
    const auto resource = resource_of_key(key);
    if (!resource) continue;
    auto at = by_resource.find(*resource);
    if (at == by_resource.end()) {
      at = by_resource
               .emplace(*resource, ledger_.usage(quota, ns, resource->first, resource->second))
               .first;
    }
    const auto amount = at->second.find(key);
    out[key] = amount == at->second.end() ? Quantity() : amount->second;
  }
  return out;
}

Result<> ResourceQuotaAdmission::check(const AdmissionRequest& request, const json::Value& quota,
                                       const ResourceAmounts& delta) {
  const api::Gvr& gvr = request.kind->gvr;
  const ResourceAmounts hard = read_amounts(quota, {"spec", "hard"});
  const std::string_view name = json::string_at(quota, {"metadata", "name"});
  if (creates_pod(request)) {
    const std::string missing = missing_shares(*request.object, hard);
    if (!missing.empty())
      return admission_refused(request,
                               fmt::format("failed quota: {}: must specify {}", name, missing));
  }
  const bool counts = std::ranges::any_of(delta, [&](const auto& part) {
    return hard.contains(part.first) && part.second > Quantity();
  });
  if (!counts) return Unit{};
  ResourceAmounts usage = ledger_.usage(quota, request.ns, gvr.group, gvr.resource);
  for (const Claim& claim : claims_) {
    const bool same =
        claim.ns == request.ns && claim.group == gvr.group && claim.resource == gvr.resource;
    // Committed already, and only its request has not gone on yet.
    if (claim.creates && ledger_.counts(claim.ns, claim.group, claim.resource, claim.name))
      continue;
    if (same && in_scope(quota, claim.record)) add_amounts(usage, claim.record.usage);
  }
  std::vector<std::string> exceeded;
  for (const auto& [key, amount] : delta) {
    const auto limit = hard.find(key);
    if (limit != hard.end() && amount > Quantity() && usage[key] + amount > limit->second)
      exceeded.push_back(key);
  }
  if (exceeded.empty()) return Unit{};
  return admission_refused(
      request, fmt::format("exceeded quota: {}, requested: {}, used: {}, limited: {}", name,
                           shown(exceeded, delta), shown(exceeded, usage), shown(exceeded, hard)));
}

Task<> ResourceQuotaAdmission::validate(const AdmissionRequest& request) {
  const bool write =
      request.operation == Operation::kCreate || request.operation == Operation::kUpdate;
  const bool whole = request.subresource.empty() || request.subresource == "resize";
  if (!write || !whole || request.ns.empty() || request.object == nullptr) co_return Unit{};
  std::vector<json::Value> quotas;
  reader_.each("", "resourcequotas", request.ns, [&](const api::ObjectPtr& object) {
    quotas.push_back(object->parse());
    return true;
  });
  if (quotas.empty()) co_return Unit{};
  const api::Gvr& gvr = request.kind->gvr;
  QuotaRecord record = QuotaRecord::of(gvr.group, gvr.resource, *request.object);
  ResourceAmounts delta = record.usage;
  if (request.old_object != nullptr)
    subtract_amounts(delta, quota_usage(gvr.group, gvr.resource, *request.old_object));
  for (const json::Value& quota : quotas) {
    if (in_scope(quota, record)) CO_TRY_OK(check(request, quota, delta));
  }
  record.usage = std::move(delta);
  claims_.push_back({request.ns, gvr.group, gvr.resource, request.name, std::move(record),
                     request.operation == Operation::kCreate});
  co_return Unit{};
}

void ResourceQuotaAdmission::finished(const AdmissionRequest& request, bool) {
  // Stored or not: what was committed reached the ledger before this. Only the claim ends here.
  const api::Gvr& gvr = request.kind->gvr;
  const auto at = std::ranges::find_if(claims_, [&](const Claim& claim) {
    return claim.ns == request.ns && claim.name == request.name && claim.group == gvr.group &&
           claim.resource == gvr.resource;
  });
  if (at != claims_.end()) claims_.erase(at);
}

}  // namespace atl::apiserver

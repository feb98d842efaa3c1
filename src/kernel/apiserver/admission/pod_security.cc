#include "kernel/apiserver/admission/pod_security.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/apiserver/admission/findings.h"
#include "kernel/apiserver/admission/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";

std::optional<SecurityLevel> level_of(std::string_view text) {
  if (text == "privileged") return SecurityLevel::kPrivileged;
  if (text == "baseline") return SecurityLevel::kBaseline;
  if (text == "restricted") return SecurityLevel::kRestricted;
  return std::nullopt;
}

bool is_version(std::string_view text) {
  if (text == "latest") return true;
  return text.starts_with("v1.") && text.size() > 3 &&
         text.find_first_not_of("0123456789", 3) == std::string_view::npos;
}

// An update that leaves the spec alone changes nothing about the pod's rights.
bool touches_spec(const AdmissionRequest& request, const PodSpecAt& now) {
  if (request.old_object == nullptr) return true;
  const PodSpecAt before =
      find_pod_spec(request.kind->gvr.group, request.kind->gvr.resource, *request.old_object);
  return before.spec == nullptr || !json::equal(*before.spec, *now.spec);
}

std::string violations(SecurityLevel level, const PodSpecAt& at) {
  return security_violations(level, at.metadata != nullptr ? *at.metadata : json::Value(),
                             *at.spec);
}

bool writes_pod_spec(const AdmissionRequest& request) {
  const bool write =
      request.operation == Operation::kCreate || request.operation == Operation::kUpdate;
  const bool whole = request.subresource.empty() || request.subresource == "ephemeralcontainers";
  return write && whole && request.object != nullptr;
}

}  // namespace

PodSecurity::Policy PodSecurity::policy_of(std::string_view ns, std::string_view mode) const {
  const api::ObjectPtr object = reader_.get("", "namespaces", {"", std::string(ns)});
  if (!object) return {};
  const std::string key = std::string(kPrefix) + std::string(mode);
  const std::string_view text = api::label(object->header().labels, key);
  const auto level = level_of(text);
  // A level that cannot be read (it came past the check) must not open the door.
  if (!level)
    return text.empty() ? Policy{} : Policy{SecurityLevel::kRestricted, "restricted:latest"};
  const std::string_view version = api::label(object->header().labels, key + "-version");
  return {*level, fmt::format("{}:{}", text, version.empty() ? "latest" : version)};
}

Result<> PodSecurity::check_namespace(const AdmissionRequest& request) const {
  api::Findings findings;
  for (const auto& [key, value] : json::object_at(*request.object, {"metadata", "labels"})) {
    const std::string_view name = key;
    if (!name.starts_with(kPrefix) || !value.is_string()) continue;
    const std::string path = at("metadata.labels", name);
    if (name.ends_with("-version")) {
      if (!is_version(value.as_string()))
        findings.push_back(invalid_value(path, value, "must be \"latest\" or \"v1.x\""));
    } else if (!level_of(value.as_string())) {
      findings.push_back(
          invalid_value(path, value, "must be one of privileged, baseline, restricted"));
    }
  }
  if (findings.empty()) return Unit{};
  return api::invalid(request.kind->gvk, request.name, std::move(findings));
}

Task<> PodSecurity::mutate(AdmissionRequest& request) {
  if (!writes_pod_spec(request)) co_return Unit{};
  const PodSpecAt at =
      find_pod_spec(request.kind->gvr.group, request.kind->gvr.resource, *request.object);
  if (at.spec == nullptr || !touches_spec(request, at)) co_return Unit{};
  const Policy policy = policy_of(request.ns, "warn");
  const std::string found = violations(policy.level, at);
  if (!found.empty())
    request.warnings.push_back(
        fmt::format("would violate PodSecurity \"{}\": {}", policy.text, found));
  co_return Unit{};
}

Task<> PodSecurity::validate(const AdmissionRequest& request) {
  if (!writes_pod_spec(request)) co_return Unit{};
  if (is_resource(request, "", "namespaces")) co_return check_namespace(request);
  if (!request.kind->gvr.group.empty() || request.kind->gvr.resource != "pods") co_return Unit{};
  const PodSpecAt at = find_pod_spec("", "pods", *request.object);
  if (at.spec == nullptr || !touches_spec(request, at)) co_return Unit{};
  const Policy policy = policy_of(request.ns, "enforce");
  const std::string found = violations(policy.level, at);
  if (found.empty()) co_return Unit{};
  co_return admission_refused(request,
                              fmt::format("violates PodSecurity \"{}\": {}", policy.text, found));
}

}  // namespace atl::apiserver

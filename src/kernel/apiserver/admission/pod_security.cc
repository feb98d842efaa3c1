#include "kernel/apiserver/admission/pod_security.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/observe/log.h"
#include "kernel/apiserver/contract/findings.h"
#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";
// Of a namespace whose level changes.
constexpr size_t kPodsChecked = 3'000;

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

// Pods that break a level in the same way.
struct Offenders {
  std::string first;  // in order of names
  size_t count = 0;
};

std::string text_of(const Offenders& pods, std::string_view violations) {
  if (pods.count == 1) return fmt::format("{}: {}", pods.first, violations);
  return fmt::format("{} (and {} other pod{}): {}", pods.first, pods.count - 1,
                     pods.count == 2 ? "" : "s", violations);
}

}  // namespace

PodSecurity::Policy PodSecurity::policy_in(const LabelOf& label, std::string_view mode) {
  const std::string key = std::string(kPrefix) + std::string(mode);
  const std::string_view text = label(key);
  const auto level = level_of(text);
  // A level that cannot be read (it came past the check) must not open the door.
  if (!level)
    return text.empty() ? Policy{} : Policy{SecurityLevel::kRestricted, "restricted:latest"};
  const std::string_view version = label(key + "-version");
  return {*level, fmt::format("{}:{}", text, version.empty() ? "latest" : version)};
}

PodSecurity::Policy PodSecurity::policy_of(std::string_view ns, std::string_view mode) const {
  const api::ObjectPtr object = reader_.get("", "namespaces", {"", std::string(ns)});
  if (!object) return {};
  return policy_in([&](std::string_view key) { return api::label(object->header().labels, key); },
                   mode);
}

// A stricter level leaves pods that run alone; whoever sets it is told which ones break it.
void PodSecurity::warn_of_pods(AdmissionRequest& request) const {
  const auto enforced = [](const json::Value& space) {
    return policy_in(
        [&](std::string_view key) { return json::string_at(space, {"metadata", "labels", key}); },
        "enforce");
  };
  const Policy now = enforced(*request.object);
  const Policy before = enforced(*request.old_object);
  if (now.level <= before.level) return;
  std::map<std::string, Offenders> found;
  size_t checked = 0, pods = 0;
  reader_.each("", "pods", request.name, [&](const api::ObjectPtr& pod) {
    if (++pods > kPodsChecked) return true;
    ++checked;
    const json::Value document = pod->parse();
    const std::string text = violations(now.level, find_pod_spec("", "pods", document));
    if (text.empty()) return true;
    Offenders& same = found[text];
    if (same.count++ == 0) same.first = pod->name();
    return true;
  });
  if (checked < pods) {
    request.warnings.push_back(
        fmt::format("new PodSecurity enforce level only checked against the first {} of {} "
                    "existing pods",
                    checked, pods));
  }
  if (found.empty()) return;
  request.warnings.push_back(
      fmt::format("existing pods in namespace \"{}\" violate the new PodSecurity enforce level "
                  "\"{}\"",
                  request.name, now.text));
  std::set<std::string> lines;
  for (const auto& [violation, offenders] : found) lines.insert(text_of(offenders, violation));
  request.warnings.insert(request.warnings.end(), lines.begin(), lines.end());
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
  if (is_resource(request, "", "namespaces") && request.old_object != nullptr) {
    warn_of_pods(request);
  }
  const PodSpecAt at =
      find_pod_spec(request.kind->gvr.group, request.kind->gvr.resource, *request.object);
  if (at.spec == nullptr || !touches_spec(request, at)) co_return Unit{};
  const Policy policy = policy_of(request.ns, "warn");
  const std::string found = violations(policy.level, at);
  if (!found.empty())
    request.warnings.push_back(
        fmt::format("would violate PodSecurity \"{}\": {}", policy.text, found));
  audit(request, at);
  co_return Unit{};
}

void PodSecurity::audit(const AdmissionRequest& request, const PodSpecAt& at) const {
  const Policy policy = policy_of(request.ns, "audit");
  const std::string found = violations(policy.level, at);
  if (found.empty()) return;
  log::info("pod security audit", {{"user", request.user->name},
                                   {"resource", request.kind->gvr.group_resource()},
                                   {"namespace", request.ns},
                                   {"name", request.name},
                                   {"level", policy.text},
                                   {"violations", found}});
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

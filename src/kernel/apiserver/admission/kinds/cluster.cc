#include "kernel/apiserver/admission/kinds/cluster.h"

#include "base/crypto/x509.h"
#include "base/text/base64.h"
#include "kernel/apiserver/auth/reviews.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr int64_t kHighestUserPriority = 1'000'000'000;

bool is_system_class(std::string_view name) {
  return name == "system-cluster-critical" || name == "system-node-critical";
}

}  // namespace

Result<> NamespaceHook::prepare(WriteContext& write) const {
  json::Value& object = *write.object;
  if (write.subresource.empty()) {
    json::set(object, {"metadata", "labels", "kubernetes.io/metadata.name"},
              json::Value(write.key.name));
  }
  if (write.old == nullptr) {
    if (json::find(object, {"spec", "finalizers"}) == nullptr)
      json::set(object, {"spec", "finalizers"}, json::Array{"kubernetes"});
    json::set(object, {"status", "phase"}, "Active");
  } else if (write.subresource.empty()) {
    // Only /finalize changes these.
    json::set(object, {"spec", "finalizers"}, json::array_at(*write.old, {"spec", "finalizers"}));
  }
  return Unit{};
}

bool NamespaceHook::holds_deletion(json::Value& object) const {
  if (json::array_at(object, {"spec", "finalizers"}).empty()) return false;
  json::set(object, {"status", "phase"}, "Terminating");
  return true;
}

api::Findings NodeHook::validate(const WriteContext& write) const {
  api::Findings out;
  if (write.old == nullptr) return out;
  for (const std::string_view field : {"podCIDR", "providerID"}) {
    const std::string_view before = json::string_at(*write.old, {"spec", field});
    const std::string_view now = json::string_at(*write.object, {"spec", field});
    if (before.empty() || before == now) continue;
    out.push_back(forbidden_value(
        under("spec", field),
        "node updates may not change " + std::string(field) + " except from \"\" to valid"));
  }
  return out;
}

api::Findings LeaseHook::validate(const WriteContext& write) const {
  api::Findings out;
  const json::Value* seconds = json::find(*write.object, {"spec", "leaseDurationSeconds"});
  if (seconds != nullptr && seconds->is_number() && seconds->to_number<double>() <= 0) {
    out.push_back(invalid_value("spec.leaseDurationSeconds", *seconds, "must be greater than 0"));
  }
  const json::Value* transitions = json::find(*write.object, {"spec", "leaseTransitions"});
  if (transitions != nullptr && transitions->is_number() && transitions->to_number<double>() < 0) {
    out.push_back(
        invalid_value("spec.leaseTransitions", *transitions, "must be greater than or equal to 0"));
  }
  return out;
}

api::Findings PriorityClassHook::validate(const WriteContext& write) const {
  api::Findings out;
  const int64_t value = json::int_at(*write.object, {"value"});
  if (write.key.name.starts_with("system-") && !is_system_class(write.key.name)) {
    out.push_back(forbidden_value(
        "metadata.name",
        "priority class names with 'system-' prefix are reserved for system use only"));
  }
  if (!is_system_class(write.key.name) && value > kHighestUserPriority) {
    out.push_back(
        forbidden_value("value", "maximum allowed value of a user defined priority is 1000000000"));
  }
  if (write.old == nullptr) return out;
  if (json::int_at(*write.old, {"value"}) != value)
    out.push_back(forbidden_value("value", "may not be changed in an update."));
  if (json::string_at(*write.old, {"preemptionPolicy"}) !=
      json::string_at(*write.object, {"preemptionPolicy"})) {
    out.push_back(api::immutable_value(
        "preemptionPolicy", json::Value(json::string_at(*write.object, {"preemptionPolicy"}))));
  }
  return out;
}

Result<> CertificateRequestHook::prepare(WriteContext& write) const {
  json::Value& object = *write.object;
  if (write.old != nullptr) {
    json::set(object, {"spec"}, json::object_at(*write.old, {"spec"}));
    return Unit{};
  }
  const json::Value user = user_document(*write.user);
  for (const std::string_view field : {"username", "uid", "groups", "extra"}) {
    const json::Value* value = json::find(user, {field});
    if (value != nullptr)
      json::set(object, {"spec", field}, *value);
    else
      json::erase(object, {"spec", field});
  }
  return Unit{};
}

api::Findings CertificateRequestHook::validate(const WriteContext& write) const {
  api::Findings out;
  if (write.old != nullptr) return out;
  const auto pem = base64_decode(json::string_at(*write.object, {"spec", "request"}));
  const auto request = pem ? crypto::parse_signing_request(*pem)
                           : Result<crypto::SigningRequest>(Error(Code::kInvalid, "not base64"));
  if (!request)
    out.push_back(
        invalid_value("spec.request", json::Value("<request>"), request.error().message()));
  return out;
}

}  // namespace atl::apiserver

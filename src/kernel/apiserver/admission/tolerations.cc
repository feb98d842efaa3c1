#include "kernel/apiserver/admission/tolerations.h"

#include <algorithm>

#include "kernel/apiserver/contract/pod_parts.h"

namespace atl::apiserver {
namespace {

constexpr int64_t kSeconds = 300;
constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";

// A toleration for the taint's key, or for all keys, that covers NoExecute.
bool tolerates(const json::Array& tolerations, std::string_view key) {
  return std::ranges::any_of(tolerations, [&](const json::Value& toleration) {
    const std::string_view own = json::string_at(toleration, {"key"});
    const std::string_view effect = json::string_at(toleration, {"effect"});
    return (own.empty() || own == key) && (effect.empty() || effect == "NoExecute");
  });
}

}  // namespace

Task<> DefaultTolerationSeconds::mutate(AdmissionRequest& request) {
  if (!creates_pod(request)) co_return Unit{};
  json::Array tolerations = json::array_at(*request.object, {"spec", "tolerations"});
  const size_t before = tolerations.size();
  for (const std::string_view key : {kNotReady, kUnreachable}) {
    if (tolerates(tolerations, key)) continue;
    tolerations.push_back(json::Object{{"key", key},
                                       {"operator", "Exists"},
                                       {"effect", "NoExecute"},
                                       {"tolerationSeconds", kSeconds}});
  }
  if (tolerations.size() != before)
    json::set(*request.object, {"spec", "tolerations"}, std::move(tolerations));
  co_return Unit{};
}

Task<> TaintNodesByCondition::mutate(AdmissionRequest& request) {
  if (request.operation != Operation::kCreate || !is_resource(request, "", "nodes"))
    co_return Unit{};
  json::Array taints = json::array_at(*request.object, {"spec", "taints"});
  const bool there = std::ranges::any_of(taints, [](const json::Value& taint) {
    return json::string_at(taint, {"key"}) == kNotReady &&
           json::string_at(taint, {"effect"}) == "NoSchedule";
  });
  if (there) co_return Unit{};
  taints.push_back(json::Object{{"key", kNotReady}, {"effect", "NoSchedule"}});
  json::set(*request.object, {"spec", "taints"}, std::move(taints));
  co_return Unit{};
}

}  // namespace atl::apiserver

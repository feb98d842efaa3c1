#include "kernel/node/pod/resources.h"

#include <algorithm>

namespace atl::node {
namespace {

constexpr int64_t kMinShares = 2;
constexpr int64_t kMaxShares = 262'144;
constexpr int64_t kSharesPerCpu = 1'024;
constexpr int64_t kMinQuotaUs = 1'000;
constexpr int kGuaranteedOom = -997;
constexpr int kBestEffortOom = 1'000;
constexpr int kBurstableOomMin = 3;

}  // namespace

std::optional<Quantity> quantity_at(const json::Value& root, json::Path path) {
  const json::Value* value = json::find(root, path);
  if (!value || value->is_null()) return std::nullopt;
  auto parsed = Quantity::parse(value->is_string() ? std::string(value->get_string())
                                                   : json::serialize(*value));
  if (!parsed) return std::nullopt;
  return *parsed;
}

ContainerResources resources_of(const json::Value& container) {
  ContainerResources out;
  const auto cpu_limit = quantity_at(container, {"resources", "limits", "cpu"});
  auto cpu_request = quantity_at(container, {"resources", "requests", "cpu"});
  if (!cpu_request) cpu_request = cpu_limit;
  if (cpu_request) {
    out.cpu_shares =
        uint64_t(std::clamp(cpu_request->milli() * kSharesPerCpu / 1'000, kMinShares, kMaxShares));
  }
  if (cpu_limit && !cpu_limit->zero()) {
    out.cpu_quota_us =
        std::max(kMinQuotaUs, cpu_limit->milli() * int64_t(out.cpu_period_us) / 1'000);
  }
  const auto memory_limit = quantity_at(container, {"resources", "limits", "memory"});
  if (memory_limit && !memory_limit->zero()) out.memory_limit = memory_limit->units();
  auto memory_request = quantity_at(container, {"resources", "requests", "memory"});
  if (!memory_request) memory_request = memory_limit;
  if (memory_request) out.memory_request = memory_request->units();
  return out;
}

std::string_view qos_class(const PodSpec& pod) {
  bool any = false;
  bool all_equal = true;
  for (const ContainerSpec& c : pod.containers) {
    for (const std::string_view what : {"cpu", "memory"}) {
      const auto limit = quantity_at(c.doc, {"resources", "limits", what});
      auto request = quantity_at(c.doc, {"resources", "requests", what});
      if (!request) request = limit;
      any = any || (limit && !limit->zero()) || (request && !request->zero());
      all_equal = all_equal && limit && !limit->zero() && *request == *limit;
    }
  }
  if (!any) return "BestEffort";
  return all_equal ? "Guaranteed" : "Burstable";
}

int oom_score_adjustment(const PodSpec& pod, const ContainerResources& container,
                         int64_t node_memory_bytes) {
  const std::string_view qos = qos_class(pod);
  if (qos == "Guaranteed") return kGuaranteedOom;
  if (qos == "BestEffort" || node_memory_bytes <= 0) return kBestEffortOom;
  const int64_t adjusted = 1'000 - 1'000 * container.memory_request / node_memory_bytes;
  return int(std::clamp<int64_t>(adjusted, kBurstableOomMin, kBestEffortOom - 1));
}

}  // namespace atl::node

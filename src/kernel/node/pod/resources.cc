#include "kernel/node/pod/resources.h"

#include <algorithm>
#include <limits>

namespace atl::node {
namespace {

constexpr int64_t kMinShares = 2;
constexpr int64_t kMaxShares = 262'144;
constexpr int64_t kSharesPerCpu = 1'024;
constexpr int64_t kMinQuotaUs = 1'000;
constexpr int kGuaranteedOom = -997;
constexpr int kBestEffortOom = 1'000;
constexpr int kBurstableOomMin = 3;

uint64_t shares_of(int64_t milli_cpu) {
  return uint64_t(std::clamp(milli_cpu * kSharesPerCpu / 1'000, kMinShares, kMaxShares));
}
int64_t quota_of(int64_t milli_cpu, uint64_t period_us) {
  return std::max(kMinQuotaUs, milli_cpu * int64_t(period_us) / 1'000);
}

enum class Unit : uint8_t { kMilli, kWhole };

int64_t amount_of(const json::Value& container, json::Path path, Unit unit) {
  const auto amount = quantity_at(container, path);
  if (!amount) return 0;
  return std::max<int64_t>(0, unit == Unit::kMilli ? amount->milli() : amount->units());
}

int64_t sum(int64_t a, int64_t b) {
  int64_t out = 0;
  return __builtin_add_overflow(a, b, &out) ? std::numeric_limits<int64_t>::max() : out;
}

// The most that is in use at any time, of what each container takes.
template <class Take>
int64_t most_of(const PodSpec& pod, Take take) {
  int64_t main = 0, sidecars = 0, init = 0;
  for (const ContainerSpec& c : pod.containers) {
    const int64_t own = take(c.doc);
    if (c.role == ContainerSpec::Role::kMain) main = sum(main, own);
    if (c.role == ContainerSpec::Role::kSidecar) sidecars = sum(sidecars, own);
    if (c.role == ContainerSpec::Role::kInit) init = std::max(init, sum(sidecars, own));
  }
  return std::max(sum(main, sidecars), init);
}

// Nothing where a container has no such limit.
std::optional<int64_t> limit_of(const PodSpec& pod, std::string_view resource, Unit unit) {
  bool all = true;
  const int64_t most = most_of(pod, [&](const json::Value& container) {
    const int64_t own = amount_of(container, {"resources", "limits", resource}, unit);
    all = all && own > 0;
    return own;
  });
  if (!all || most == 0) return std::nullopt;
  return sum(most, amount_of(pod.doc, {"spec", "overhead", resource}, unit));
}

}  // namespace

PodResources pod_resources(const PodSpec& pod) {
  PodResources out;
  int64_t milli_cpu = most_of(pod, [](const json::Value& container) {
    const bool asked = quantity_at(container, {"resources", "requests", "cpu"}).has_value();
    return amount_of(container, {"resources", asked ? "requests" : "limits", "cpu"}, Unit::kMilli);
  });
  milli_cpu = sum(milli_cpu, amount_of(pod.doc, {"spec", "overhead", "cpu"}, Unit::kMilli));
  out.cpu_shares = shares_of(milli_cpu);
  if (const auto limit = limit_of(pod, "cpu", Unit::kMilli))
    out.cpu_quota_us = quota_of(*limit, out.cpu_period_us);
  out.memory_limit = limit_of(pod, "memory", Unit::kWhole);
  return out;
}

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
  if (cpu_request) out.cpu_shares = shares_of(cpu_request->milli());
  if (cpu_limit && !cpu_limit->zero())
    out.cpu_quota_us = quota_of(cpu_limit->milli(), out.cpu_period_us);
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

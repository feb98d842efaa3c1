#include "kernel/apiserver/subresources/pod_eviction.h"

#include <fmt/format.h>

#include "api/select/select.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/options.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {
namespace {

const api::Gvr kPods{"", "v1", "pods"};
const api::Gvr kBudgets{"policy", "v1", "poddisruptionbudgets"};

bool is_ready(const json::Value& pod) {
  for (const json::Value& condition : json::array_at(pod, {"status", "conditions"})) {
    if (json::string_at(condition, {"type"}) == "Ready")
      return json::string_at(condition, {"status"}) == "True";
  }
  return false;
}

bool needs_no_budget(const json::Value& pod) {
  const std::string_view phase = json::string_at(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed" || phase == "Pending" ||
         json::find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
}

std::vector<api::ObjectPtr> budgets_of(const Reader& reader, const api::Object& pod) {
  std::vector<api::ObjectPtr> out;
  reader.each(kBudgets.group, kBudgets.resource, pod.ns(), [&](const api::ObjectPtr& budget) {
    const json::Value document = budget->parse();
    const json::Value* selector = json::find(document, {"spec", "selector"});
    if (!selector) return true;
    const auto parsed = api::LabelSelector::from_document(*selector);
    if (parsed && parsed->matches(pod.header().labels)) out.push_back(budget);
    return true;
  });
  return out;
}

// A pod that does not serve anybody anyway may go where its budget says so.
bool unready_may_go(const json::Value& pod, const json::Value& budget) {
  if (is_ready(pod)) return false;
  if (json::string_at(budget, {"spec", "unhealthyPodEvictionPolicy"}) == "AlwaysAllow") return true;
  const int64_t desired = json::int_at(budget, {"status", "desiredHealthy"});
  return desired > 0 && json::int_at(budget, {"status", "currentHealthy"}) >= desired;
}

Error refused(std::string_view budget, std::string_view why) {
  return Error(Code::kTooMany, "Cannot evict pod as it would violate the pod's disruption budget.")
      .with_cause(
          {"DisruptionBudget", fmt::format("The disruption budget {} {}", budget, why), ""});
}

Result<> use_disruption(json::Value& budget, const std::string& pod, WallTime now) {
  const std::string name(json::string_at(budget, {"metadata", "name"}));
  const int64_t generation = json::int_at(budget, {"metadata", "generation"});
  if (json::int_at(budget, {"status", "observedGeneration"}) < generation) {
    return Error(Code::kTooMany,
                 "Cannot evict pod as it would violate the pod's disruption budget.")
        .with_cause(
            {"DisruptionBudget",
             fmt::format("The disruption budget {} is still being processed by the server.", name),
             ""})
        .with_retry_after(std::chrono::seconds(10));
  }
  const int64_t allowed = json::int_at(budget, {"status", "disruptionsAllowed"});
  if (allowed <= 0) {
    return refused(name, fmt::format("needs {} healthy pods and has {} currently",
                                     json::int_at(budget, {"status", "desiredHealthy"}),
                                     json::int_at(budget, {"status", "currentHealthy"})));
  }
  json::set(budget, {"status", "disruptionsAllowed"}, json::Value(allowed - 1));
  json::set(budget, {"status", "disruptedPods", pod}, json::Value(rfc3339(now)));
  return Unit{};
}

}  // namespace

Task<> PodEvictionHook::take_disruption(const VirtualRequest& request,
                                        const api::ObjectPtr& budget) {
  Call call{.kind = request.registry->parts().kinds.find(kBudgets),
            .subresource = "status",
            .key = budget->key(),
            .user = request.user,
            .dry_run = request.dry_run};
  CO_TRY_OK(co_await request.registry->modify(std::move(call), [&](json::Value& live) {
    return use_disruption(live, request.key.name, request.now);
  }));
  co_return Unit{};
}

Task<VirtualReply> PodEvictionHook::post(VirtualRequest request) {
  const std::string_view named =
      json::string_at(request.body, {"metadata", "name"}, request.key.name);
  if (named != request.key.name)
    co_return Error(Code::kBadRequest, "name in URL does not match name in Eviction object");
  const json::Value pod = request.parent->parse();
  Registry& registry = *request.registry;
  const json::Value* given = json::find(request.body, {"deleteOptions"});
  const json::Value options = given ? *given : json::Value();
  CO_TRY(bool dry_run, delete_is_dry_run(options));
  dry_run = dry_run || request.dry_run;
  request.dry_run = dry_run;
  CO_TRY(DeleteQuery query, read_delete({}, options));
  // The pod that was judged is the one that goes.
  if (query.uid.empty()) query.uid = request.parent->uid();
  if (!needs_no_budget(pod)) {
    const auto budgets = budgets_of(registry.cache(), *request.parent);
    if (budgets.size() > 1) {
      co_return Error(Code::kInternal,
                      "This pod has more than one PodDisruptionBudget, which the eviction "
                      "subresource does not support.");
    }
    if (!budgets.empty() && !unready_may_go(pod, budgets[0]->parse())) {
      CO_TRY_OK(co_await take_disruption(request, budgets[0]));
    }
  }
  Call call{.kind = registry.parts().kinds.find(kPods),
            .key = request.key,
            .user = request.user,
            .dry_run = dry_run};
  CO_TRY_OK(co_await registry.remove(std::move(call), std::move(query)));
  co_return VirtualReply{201, success_document({})};
}

}  // namespace atl::apiserver

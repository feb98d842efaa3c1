#include "kernel/controllers/node_health.h"

#include <algorithm>
#include <array>

#include "api/controller/conditions.h"
#include "kernel/controllers/pod_view.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

const char* const kLeaseNamespace = "kube-node-lease";
constexpr std::array kJudged = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

struct WantedTaint {
  const char* key;
  const char* effect;
};
constexpr std::array kOwnTaints = {
    WantedTaint{"node.kubernetes.io/not-ready", "NoSchedule"},
    WantedTaint{"node.kubernetes.io/not-ready", "NoExecute"},
    WantedTaint{"node.kubernetes.io/unreachable", "NoSchedule"},
    WantedTaint{"node.kubernetes.io/unreachable", "NoExecute"},
    WantedTaint{"node.kubernetes.io/memory-pressure", "NoSchedule"},
    WantedTaint{"node.kubernetes.io/disk-pressure", "NoSchedule"},
    WantedTaint{"node.kubernetes.io/pid-pressure", "NoSchedule"},
    WantedTaint{"node.kubernetes.io/network-unavailable", "NoSchedule"},
    WantedTaint{"node.kubernetes.io/unschedulable", "NoSchedule"},
};

bool wanted(const json::Value& node, const WantedTaint& taint) {
  const json::Array& conditions = json::array_at(node, {"status", "conditions"});
  const auto is = [&](const char* type, const char* status) {
    return api::condition_is(conditions, type, status);
  };
  const std::string_view what =
      std::string_view(taint.key).substr(std::string_view("node.kubernetes.io/").size());
  if (what == "not-ready") return is("Ready", "False");
  if (what == "unreachable") return is("Ready", "Unknown");
  if (what == "memory-pressure") return is("MemoryPressure", "True");
  if (what == "disk-pressure") return is("DiskPressure", "True");
  if (what == "pid-pressure") return is("PIDPressure", "True");
  if (what == "network-unavailable") return is("NetworkUnavailable", "True");
  return json::bool_at(node, {"spec", "unschedulable"});
}

bool is_taint(const json::Value& entry, const WantedTaint& taint) {
  return json::string_at(entry, {"key"}) == taint.key &&
         json::string_at(entry, {"effect"}) == taint.effect;
}

// What a node says about itself; it changes with every heartbeat.
std::string spoken(const api::ObjectPtr& node) {
  if (!node) return {};
  const json::Value document = node->parse();
  std::string out;
  for (const json::Value& condition : json::array_at(document, {"status", "conditions"})) {
    out += json::string_at(condition, {"lastHeartbeatTime"});
  }
  return out;
}

}  // namespace

bool mark_silent(json::Array& conditions, bool ever_spoke, WallTime now) {
  bool changed = false;
  for (const char* type : kJudged) {
    if (api::condition_is(conditions, type, "Unknown")) continue;
    const json::Value* old = api::find_condition(conditions, type);
    const json::Value* beat = old ? old->as_object().if_contains("lastHeartbeatTime") : nullptr;
    const json::Value heartbeat = beat ? *beat : json::Value();
    changed = api::set_condition(
                  conditions,
                  {type, "Unknown", ever_spoke ? "NodeStatusUnknown" : "NodeStatusNeverUpdated",
                   ever_spoke ? "Kubelet stopped posting node status."
                              : "Kubelet never posted node status."},
                  now) ||
              changed;
    if (heartbeat.is_null()) continue;
    for (json::Value& entry : conditions) {
      if (json::string_at(entry, {"type"}) == type)
        entry.as_object()["lastHeartbeatTime"] = heartbeat;
    }
  }
  return changed;
}

bool set_condition_taints(json::Value& node, WallTime now) {
  json::Array taints;
  bool changed = false;
  for (const json::Value& entry : json::array_at(node, {"spec", "taints"})) {
    const auto own = std::find_if(kOwnTaints.begin(), kOwnTaints.end(),
                                  [&](const WantedTaint& taint) { return is_taint(entry, taint); });
    if (own == kOwnTaints.end() || wanted(node, *own))
      taints.push_back(entry);
    else
      changed = true;
  }
  for (const WantedTaint& taint : kOwnTaints) {
    if (!wanted(node, taint)) continue;
    if (std::any_of(taints.begin(), taints.end(),
                    [&](const json::Value& entry) { return is_taint(entry, taint); }))
      continue;
    json::Object entry{{"key", taint.key}, {"effect", taint.effect}};
    // Evictions count from here.
    entry["timeAdded"] = rfc3339(now);
    taints.push_back(std::move(entry));
    changed = true;
  }
  if (changed && taints.empty())
    json::erase(node, {"spec", "taints"});
  else if (changed)
    json::set(node, {"spec", "taints"}, std::move(taints));
  return changed;
}

NodeHealthController::NodeHealthController(Deps deps)
    : deps_(deps),
      nodes_(deps.informers.get(kNodes)),
      leases_(deps.informers.get(kLeases)),
      pods_(deps.informers.get(kPods)),
      pods_by_node_(index_by_node(pods_)) {}

std::vector<api::Informer*> NodeHealthController::inputs() {
  return {&nodes_, &leases_, &pods_};
}

void NodeHealthController::watch(api::WorkQueue& queue) {
  leases_.add_handler(
      [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (key.ns != kLeaseNamespace || !now) return;
        heard(key.name);
        // A renewal wakes nobody: the look that is due anyway will see it.
        queue.add_after({"", key.name}, kNodeGrace);
      });
  nodes_.add_handler([this, &queue](const api::ObjectKey& key, const api::ObjectPtr& before,
                                    const api::ObjectPtr& now) {
    if (!now) {
      last_sign_.erase(key.name);
      return;
    }
    if (!before || spoken(before) != spoken(now)) heard(key.name);
    queue.add(key);
  });
}

Duration NodeHealthController::until_silent(const std::string& node, bool ever_spoke) {
  const MonoTime now = deps_.seams.timer->monotonic();
  const MonoTime last = last_sign_.try_emplace(node, now).first->second;
  const MonoTime end = last + (ever_spoke ? kNodeGrace : kNodeStartupGrace);
  return end <= now ? Duration(0) : end - now;
}

Task<api::Outcome> NodeHealthController::reconcile(api::ObjectKey key) {
  api::ObjectPtr node = nodes_.get(key);
  if (!node) co_return api::Outcome::done();
  json::Value document = node->parse();
  json::Array conditions = json::array_at(document, {"status", "conditions"});
  const bool ever_spoke = api::find_condition(conditions, "Ready") != nullptr;
  const Duration left = until_silent(key.name, ever_spoke);
  if (left == Duration(0) && mark_silent(conditions, ever_spoke, deps_.now())) {
    json::set(document, {"status", "conditions"}, std::move(conditions));
    api::WriteOptions status;
    status.subresource = "status";
    deps_.events.note(*node, api::EventLevel::kNormal, "NodeNotReady",
                      "Node " + key.name + " status is now: NodeNotReady");
    CO_TRY(node, co_await deps_.client.update(kNodes, key, std::move(document), status));
    document = node->parse();
  }
  if (set_condition_taints(document, deps_.now())) {
    json::Value patch;
    const json::Value* taints = json::find(document, {"spec", "taints"});
    json::set(patch, {"metadata", "resourceVersion"},
              json::Value(std::to_string(node->revision().value)));
    json::set(patch, {"spec", "taints"}, taints ? *taints : json::Value());
    CO_TRY(node,
           co_await deps_.client.patch(kNodes, key, api::PatchType::kMerge, std::move(patch)));
  }
  if (api::condition_is(json::array_at(document, {"status", "conditions"}), "Ready", "Unknown")) {
    CO_TRY_OK(co_await mark_pods_not_ready(node));
  }
  co_return api::Outcome::again_after(left);
}

Task<> NodeHealthController::mark_pods_not_ready(api::ObjectPtr node) {
  for (const api::ObjectPtr& pod : pods_.by_index(pods_by_node_, node->name())) {
    json::Value document = pod->parse();
    json::Array conditions = json::array_at(document, {"status", "conditions"});
    if (!api::condition_is(conditions, "Ready", "True")) continue;
    api::set_condition(conditions, {"Ready", "False", "", ""}, deps_.now());
    json::set(document, {"status", "conditions"}, std::move(conditions));
    api::WriteOptions status;
    status.subresource = "status";
    deps_.events.note(*pod, api::EventLevel::kWarning, "NodeNotReady", "Node is not ready");
    const Result<api::ObjectPtr> written =
        co_await deps_.client.update(kPods, pod->key(), std::move(document), status);
    if (!written && written.error().code() != Code::kNotFound) co_return written.error();
  }
  co_return Unit{};
}

}  // namespace atl::controllers

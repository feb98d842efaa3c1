#include "kernel/controllers/taint_eviction.h"

#include <algorithm>

#include "api/controller/conditions.h"
#include "base/core/seconds.h"
#include "kernel/controllers/pod_view.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

bool tolerates(const json::Value& toleration, const json::Value& taint) {
  const std::string_view effect = json::string_at(toleration, {"effect"});
  const std::string_view key = json::string_at(toleration, {"key"});
  const bool exists = json::string_at(toleration, {"operator"}) == "Exists";
  if (!effect.empty() && effect != "NoExecute") return false;
  if (key.empty() ? !exists : key != json::string_at(taint, {"key"})) return false;
  return exists || json::string_at(toleration, {"value"}) == json::string_at(taint, {"value"});
}

json::Array no_execute(const api::Object& node) {
  json::Array out;
  const json::Value document = node.parse();
  for (const json::Value& taint : json::array_at(document, {"spec", "taints"})) {
    if (json::string_at(taint, {"effect"}) == "NoExecute") out.push_back(taint);
  }
  return out;
}

}  // namespace

std::optional<WallTime> leaves_at(const json::Value& pod, const json::Array& taints, WallTime now) {
  std::optional<WallTime> first;
  for (const json::Value& taint : taints) {
    const WallTime added = api::time_at(taint, {"timeAdded"});
    const WallTime since = added == WallTime{} ? now : added;
    bool tolerated = false;
    std::optional<int64_t> least;
    for (const json::Value& toleration : json::array_at(pod, {"spec", "tolerations"})) {
      if (!tolerates(toleration, taint)) continue;
      tolerated = true;
      if (!json::find(toleration, {"tolerationSeconds"})) continue;
      const int64_t seconds = std::max<int64_t>(0, json::int_at(toleration, {"tolerationSeconds"}));
      least = least ? std::min(*least, seconds) : seconds;
    }
    if (tolerated && !least) continue;
    const WallTime at = tolerated ? since + seconds_of(*least) : now;
    first = first ? std::min(*first, at) : at;
  }
  return first;
}

TaintEvictionController::TaintEvictionController(Deps deps)
    : deps_(deps),
      nodes_(deps.informers.get(kNodes)),
      pods_(deps.informers.get(kPods)),
      by_node_(index_by_node(pods_)) {}

std::vector<api::Informer*> TaintEvictionController::inputs() {
  return {&nodes_, &pods_};
}

void TaintEvictionController::watch(api::WorkQueue& queue) {
  nodes_.add_handler([this, &queue](const api::ObjectKey& key, const api::ObjectPtr& before,
                                    const api::ObjectPtr& now) {
    if (!now || (before && json::equal(no_execute(*before), no_execute(*now)))) return;
    for (const api::ObjectPtr& pod : pods_.by_index(by_node_, key.name)) queue.add(pod->key());
  });
  pods_.add_handler(
      [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (!now || now->header().deleting) return;
        const api::ObjectPtr node = nodes_.get({"", node_of(*now)});
        if (node && !no_execute(*node).empty()) queue.add(key);
      });
}

Task<api::Outcome> TaintEvictionController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr pod = pods_.get(key);
  if (!pod || pod->header().deleting) co_return api::Outcome::done();
  json::Value document = pod->parse();
  const api::ObjectPtr node =
      nodes_.get({"", std::string(json::string_at(document, {"spec", "nodeName"}))});
  if (!node) co_return api::Outcome::done();
  const std::optional<WallTime> at = leaves_at(document, no_execute(*node), deps_.now());
  if (!at) co_return api::Outcome::done();
  if (*at > deps_.now()) co_return api::Outcome::again_after(*at - deps_.now());
  CO_TRY_OK(co_await evict(pod, std::move(document)));
  co_return api::Outcome::done();
}

Task<> TaintEvictionController::evict(api::ObjectPtr pod, json::Value document) {
  deps_.events.note(*pod, api::EventLevel::kNormal, "TaintManagerEviction",
                    "Marking for deletion Pod " + pod->key().text());
  json::Array conditions = json::array_at(document, {"status", "conditions"});
  if (api::set_condition(conditions,
                         {"DisruptionTarget", "True", "DeletionByTaintManager",
                          "Taint manager: deleting due to NoExecute taint"},
                         deps_.now())) {
    json::set(document, {"status", "conditions"}, std::move(conditions));
    api::WriteOptions status;
    status.subresource = "status";
    CO_TRY_OK(co_await deps_.client.update(kPods, pod->key(), std::move(document), status));
  }
  api::DeleteOptions options;
  options.uid = pod->uid();
  const Result<> removed = co_await deps_.client.remove(kPods, pod->key(), options);
  if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  co_return Unit{};
}

PodGarbageCollector::PodGarbageCollector(Deps deps)
    : deps_(deps),
      nodes_(deps.informers.get(kNodes)),
      pods_(deps.informers.get(kPods)),
      by_node_(index_by_node(pods_)) {}

std::vector<api::Informer*> PodGarbageCollector::inputs() {
  return {&nodes_, &pods_};
}

void PodGarbageCollector::watch(api::WorkQueue& queue) {
  nodes_.add_handler(
      [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now) return;
        for (const api::ObjectPtr& pod : pods_.by_index(by_node_, key.name)) queue.add(pod->key());
      });
  pods_.add_handler(
      [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (!now) return;
        const std::string node = node_of(*now);
        if (node.empty() ? now->header().deleting : !nodes_.get({"", node}))
          queue.add(key);
        else if (pods_.size() > kEndedMax)
          queue.add(key);
      });
}

Task<api::Outcome> PodGarbageCollector::reconcile(api::ObjectKey key) {
  const api::ObjectPtr pod = pods_.get(key);
  if (!pod) co_return api::Outcome::done();
  const json::Value document = pod->parse();
  const std::string node(json::string_at(document, {"spec", "nodeName"}));
  const std::string_view phase = json::string_at(document, {"status", "phase"});
  const bool ended = phase == "Succeeded" || phase == "Failed";
  bool lost = false;
  if (!node.empty() && !nodes_.get({"", node})) {
    // The cache may be late: ask before anything is deleted.
    const Result<api::ObjectPtr> live = co_await deps_.client.get(kNodes, {"", node});
    if (!live && live.error().code() != Code::kNotFound) co_return live.error();
    lost = !live;
  }
  const bool never_placed = node.empty() && pod->header().deleting;
  const bool too_many = ended && pods_.size() > kEndedMax;
  if (!lost && !never_placed && !too_many) co_return api::Outcome::done();
  if (lost && !ended) {
    json::Array conditions = json::array_at(document, {"status", "conditions"});
    api::set_condition(
        conditions, {"DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists"},
        deps_.now());
    json::Object patch{
        {"metadata", json::Object{{"resourceVersion", std::to_string(pod->revision().value)}}},
        {"status", json::Object{{"phase", "Failed"}, {"conditions", std::move(conditions)}}}};
    api::PatchOptions status;
    status.subresource = "status";
    CO_TRY_OK(
        co_await deps_.client.patch(kPods, key, api::PatchType::kMerge, std::move(patch), status));
  }
  api::DeleteOptions now;
  now.uid = pod->uid();
  now.grace_seconds = 0;
  const Result<> removed = co_await deps_.client.remove(kPods, key, now);
  if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  co_return api::Outcome::done();
}

}  // namespace atl::controllers

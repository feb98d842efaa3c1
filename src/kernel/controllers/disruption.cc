#include "kernel/controllers/disruption.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/controller/conditions.h"
#include "api/select/select.h"
#include "kernel/controllers/int_or_percent.h"
#include "kernel/controllers/resources.h"
#include "kernel/controllers/status_write.h"

namespace atl::controllers {
namespace {

// How long after an eviction was allowed its pod is expected to go.
constexpr Duration kEvictionCounts = std::chrono::minutes(2);

// Evictions that were allowed and whose pods still stand: name → time, as text.
json::Object still_going(const BudgetView& budget, WallTime now, Duration& again) {
  json::Object out;
  const json::Object& all = json::object_at(budget.document, {"status", "disruptedPods"});
  for (const PodView& pod : budget.pods) {
    const json::Value* text = pod.deleting ? nullptr : all.if_contains(pod.name);
    if (!text || !text->is_string()) continue;
    const auto at = parse_rfc3339(text->get_string());
    if (!at || *at + kEvictionCounts <= now) continue;
    out[pod.name] = *text;
    const Duration left = *at + kEvictionCounts - now;
    again = again == Duration(0) ? left : std::min(again, left);
  }
  return out;
}

struct Wanted {
  int64_t expected = 0, healthy = 0;
};

Result<Wanted> wanted(const BudgetView& budget) {
  const json::Value* most = json::find(budget.document, {"spec", "maxUnavailable"});
  const json::Value* least = json::find(budget.document, {"spec", "minAvailable"});
  if (!counts_by_scale(budget.document)) {
    const auto pods = int64_t(budget.pods.size());
    return Wanted{pods, int_or_percent(least, pods, Rounding::kUp, 0)};
  }
  TRY(const int64_t expected, budget.scale);
  if (!most) return Wanted{expected, int_or_percent(least, expected, Rounding::kUp, expected)};
  const int64_t unavailable = int_or_percent(most, expected, Rounding::kUp, 0);
  return Wanted{expected, std::max<int64_t>(0, expected - unavailable)};
}

api::Condition verdict(const Result<Wanted>& want, int64_t allowed) {
  constexpr const char* kType = "DisruptionAllowed";
  if (!want) return {kType, "False", "SyncFailed", want.error().message()};
  if (allowed > 0) return {kType, "True", "SufficientPods", ""};
  return {kType, "False", "InsufficientPods", ""};
}

std::optional<int64_t> replicas_of(const api::Informer& sets, const api::ObjectKey& key,
                                   const std::string& uid) {
  const api::ObjectPtr set = sets.get(key);
  if (!set || set->uid() != uid) return std::nullopt;
  return json::int_at(set->parse(), {"spec", "replicas"}, 1);
}

struct Owner {
  std::string kind, name, uid;
};

std::optional<Owner> controller_of(const api::Object& object) {
  const json::Value document = object.parse();
  for (const json::Value& owner : json::array_at(document, {"metadata", "ownerReferences"})) {
    if (!json::bool_at(owner, {"controller"}, false)) continue;
    return Owner{std::string(json::string_at(owner, {"kind"})),
                 std::string(json::string_at(owner, {"name"})),
                 std::string(json::string_at(owner, {"uid"}))};
  }
  return std::nullopt;
}

}  // namespace

bool counts_by_scale(const json::Value& budget) {
  const json::Value* least = json::find(budget, {"spec", "minAvailable"});
  return json::find(budget, {"spec", "maxUnavailable"}) || (least && least->is_string());
}

BudgetPlan plan(const BudgetView& budget, WallTime now) {
  BudgetPlan out;
  json::Object going = still_going(budget, now, out.again);
  const int64_t healthy = std::ranges::count_if(budget.pods, [&](const PodView& pod) {
    return pod.ready && !pod.deleting && !going.contains(pod.name);
  });
  const Result<Wanted> want = wanted(budget);
  const bool known = want && want->expected > 0;
  const int64_t allowed = known ? std::max<int64_t>(0, healthy - want->healthy) : 0;
  const int64_t generation = json::int_at(budget.document, {"metadata", "generation"});
  json::Array conditions = json::array_at(budget.document, {"status", "conditions"});
  api::set_condition(conditions, verdict(want, allowed), now);
  for (json::Value& condition : conditions)
    json::set(condition, {"observedGeneration"}, generation);
  out.status = {
      {"observedGeneration", generation},
      {"disruptionsAllowed", allowed},
      {"currentHealthy", healthy},
      {"desiredHealthy",
       want ? want->healthy : json::int_at(budget.document, {"status", "desiredHealthy"})},
      {"expectedPods",
       want ? want->expected : json::int_at(budget.document, {"status", "expectedPods"})},
      {"conditions", std::move(conditions)}};
  if (!going.empty()) out.status["disruptedPods"] = std::move(going);
  return out;
}

DisruptionController::DisruptionController(Deps deps)
    : deps_(deps),
      budgets_(deps.informers.get(kPodDisruptionBudgets)),
      pods_(deps.informers.get(kPods)),
      deployments_(deps.informers.get(kDeployments)),
      replica_sets_(deps.informers.get(kReplicaSets)),
      stateful_sets_(deps.informers.get(kStatefulSets)),
      replication_controllers_(deps.informers.get(kReplicationControllers)) {}

std::vector<api::Informer*> DisruptionController::inputs() {
  return {&budgets_,      &pods_,          &deployments_,
          &replica_sets_, &stateful_sets_, &replication_controllers_};
}

void DisruptionController::watch(api::WorkQueue& queue) {
  budgets_.add_handler([&queue](const api::ObjectKey& key, const api::ObjectPtr&,
                                const api::ObjectPtr&) { queue.add(key); });
  // There are few budgets in a namespace: all of them look again.
  const auto wake = [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&,
                                   const api::ObjectPtr&) {
    for (const api::ObjectPtr& budget : budgets_.list(key.ns)) queue.add(budget->key());
  };
  for (api::Informer* input :
       {&pods_, &deployments_, &replica_sets_, &stateful_sets_, &replication_controllers_})
    input->add_handler(wake);
}

// Adds what the controller of a pod wants; says what is wrong where that cannot be known.
std::optional<std::string> DisruptionController::note_scale(
    const std::string& ns, const api::ObjectPtr& pod, std::map<std::string, int64_t>& sizes) const {
  std::optional<Owner> owner = controller_of(*pod);
  if (!owner) return std::nullopt;  // stands for itself: nobody replaces it
  if (owner->kind == "ReplicaSet") {
    const api::ObjectPtr set = replica_sets_.get({ns, owner->name});
    const auto above = set && set->uid() == owner->uid ? controller_of(*set) : std::nullopt;
    if (above && above->kind == "Deployment") owner = above;
  }
  if (sizes.contains(owner->uid)) return std::nullopt;
  const std::pair<std::string_view, const api::Informer*> known[] = {
      {"Deployment", &deployments_},
      {"ReplicaSet", &replica_sets_},
      {"StatefulSet", &stateful_sets_},
      {"ReplicationController", &replication_controllers_}};
  for (const auto& [kind, sets] : known) {
    if (kind != owner->kind) continue;
    const auto size = replicas_of(*sets, {ns, owner->name}, owner->uid);
    if (!size)
      return fmt::format("{} \"{}\" of pod \"{}\" is gone", kind, owner->name, pod->name());
    sizes[owner->uid] = *size;
    return std::nullopt;
  }
  return fmt::format(
      "found no scale of {} \"{}\" that controls pod \"{}\": give minAvailable as a "
      "number",
      owner->kind, owner->name, pod->name());
}

Result<int64_t> DisruptionController::scale_of(const std::vector<api::ObjectPtr>& pods) const {
  std::map<std::string, int64_t> sizes;  // by the owner's uid
  for (const api::ObjectPtr& pod : pods) {
    if (auto wrong = note_scale(pod->ns(), pod, sizes)) return Error(Code::kInvalid, *wrong);
  }
  int64_t total = 0;
  for (const auto& [uid, size] : sizes) total += size;
  return total;
}

Task<api::Outcome> DisruptionController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr budget = budgets_.get(key);
  if (!budget || budget->header().deleting) co_return api::Outcome::done();
  json::Value document = budget->parse();
  const json::Value* given = json::find(document, {"spec", "selector"});
  CO_TRY(const api::LabelSelector selector,
         api::LabelSelector::from_document(given ? *given : json::Value()));
  std::vector<api::ObjectPtr> pods;
  for (const api::ObjectPtr& pod : pods_.list(key.ns)) {
    if (selector.matches(pod->header().labels)) pods.push_back(pod);
  }
  BudgetView view{.document = document, .pods = {}, .scale = scale_of(pods)};
  for (const api::ObjectPtr& pod : pods) view.pods.push_back(view_pod(*pod));
  BudgetPlan todo = plan(view, deps_.now());
  const api::Outcome outcome = api::Outcome::again_after(todo.again);
  CO_TRY_OK(co_await write_changed_status(deps_, kPodDisruptionBudgets, key, std::move(document),
                                          std::move(todo.status)));
  co_return outcome;
}

}  // namespace atl::controllers

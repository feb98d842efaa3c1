#include "kernel/controllers/deployment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "api/controller/conditions.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/pod_view.h"
#include "kernel/controllers/resources.h"
#include "kernel/controllers/status_write.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
constexpr std::string_view kRevisionHistory = "deployment.kubernetes.io/revision-history";
constexpr std::string_view kDesired = "deployment.kubernetes.io/desired-replicas";
constexpr std::string_view kMax = "deployment.kubernetes.io/max-replicas";
constexpr size_t kRevisionHistoryMax = 2000;  // characters
constexpr size_t kNameMax = 253;
constexpr int64_t kUnlimited = 2147483647;
// A wait for the cache to show our own write; its event wakes us earlier.
constexpr Duration kCacheLag = std::chrono::seconds(5);

std::string_view annotation(const json::Value& document, std::string_view name) {
  return json::string_at(document, {"metadata", "annotations", name});
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Not copied from a Deployment to its sets.
bool own_annotation(std::string_view name) {
  static const std::set<std::string_view> kOwn = {
      "kubectl.kubernetes.io/last-applied-configuration",
      kRevision,
      kRevisionHistory,
      kDesired,
      kMax,
      "deprecated.deployment.rollback.to"};
  return kOwn.contains(name);
}

SetView view_set(const api::Object& object) {
  const json::Value set = object.parse();
  SetView view;
  view.name = object.name();
  view.created = api::time_at(set, {"metadata", "creationTimestamp"});
  view.size = json::int_at(set, {"spec", "replicas"}, 1);
  view.replicas = json::int_at(set, {"status", "replicas"});
  view.ready = json::int_at(set, {"status", "readyReplicas"});
  view.available = json::int_at(set, {"status", "availableReplicas"});
  view.terminating = json::int_at(set, {"status", "terminatingReplicas"});
  view.revision = number(annotation(set, kRevision)).value_or(0);
  view.desired = number(annotation(set, kDesired));
  view.max_replicas = number(annotation(set, kMax)).value_or(0);
  view.observed = json::int_at(set, {"status", "observedGeneration"}) >= object.header().generation;
  view.deleting = object.header().deleting;
  const json::Value* failure =
      api::find_condition(json::array_at(set, {"status", "conditions"}), "ReplicaFailure");
  if (failure) view.failure = *failure;
  return view;
}

DeploymentView view_deployment(const api::Object& object, const json::Value& document) {
  DeploymentView view;
  view.name = object.name();
  view.want = json::int_at(document, {"spec", "replicas"}, 1);
  resolve_bounds(document, view);
  view.paused = json::bool_at(document, {"spec", "paused"});
  view.generation = object.header().generation;
  if (const json::Value* status = json::find(document, {"status"})) view.status = *status;
  const int64_t history = json::int_at(document, {"spec", "revisionHistoryLimit"}, 10);
  if (history != kUnlimited) view.history_limit = history;
  const int64_t deadline = json::int_at(document, {"spec", "progressDeadlineSeconds"}, 600);
  if (deadline != kUnlimited) view.progress_deadline = std::chrono::seconds(deadline);
  return view;
}

// The annotations that a set should have: the Deployment's, and what the controller remembers
// there.
json::Object wanted_annotations(const json::Value& deployment, const DeploymentView& view,
                                const json::Value* set, int64_t revision) {
  json::Object out = set ? json::object_at(*set, {"metadata", "annotations"}) : json::Object();
  for (const auto& [name, value] : json::object_at(deployment, {"metadata", "annotations"})) {
    if (!own_annotation(name)) out[name] = value;
  }
  const std::string before(set ? annotation(*set, kRevision) : std::string_view());
  if (number(before).value_or(0) < revision) {
    out[kRevision] = std::to_string(revision);
    if (!before.empty()) {
      std::string history(annotation(*set, kRevisionHistory));
      history += (history.empty() ? "" : ",") + before;
      while (history.size() > kRevisionHistoryMax) history.erase(0, history.find(',') + 1);
      out[kRevisionHistory] = history;
    }
  }
  out[kDesired] = std::to_string(view.want);
  out[kMax] = std::to_string(view.want + view.max_surge);
  return out;
}

json::Value new_set(const api::Object& deployment, const json::Value& document,
                    const DeploymentView& view, int64_t size, int64_t revision,
                    const std::string& hash) {
  json::Value pod_template = document.at("spec").at("template");
  json::set(pod_template, {"metadata", "labels", kTemplateHashLabel}, json::Value(hash));
  json::Value selector = document.at("spec").at("selector");
  json::set(selector, {"matchLabels", kTemplateHashLabel}, json::Value(hash));
  json::Object spec{
      {"replicas", size}, {"selector", std::move(selector)}, {"template", pod_template}};
  if (const int64_t wait = json::int_at(document, {"spec", "minReadySeconds"}); wait > 0)
    spec["minReadySeconds"] = wait;
  const std::string name = deployment.name().substr(0, kNameMax - hash.size() - 1) + "-" + hash;
  json::Object metadata{{"name", name},
                        {"namespace", deployment.ns()},
                        {"labels", json::object_at(pod_template, {"metadata", "labels"})},
                        {"annotations", wanted_annotations(document, view, nullptr, revision)},
                        {"ownerReferences", json::Array{controller_ref(deployment)}}};
  return json::Object{{"apiVersion", "apps/v1"},
                      {"kind", "ReplicaSet"},
                      {"metadata", std::move(metadata)},
                      {"spec", std::move(spec)}};
}

}  // namespace

DeploymentController::DeploymentController(Deps deps)
    : deps_(deps),
      deployments_(deps.informers.get(kDeployments)),
      sets_(deps.informers.get(kReplicaSets)),
      pods_(deps.informers.get(kPods)) {
  pods_.index_owners();
}

std::vector<api::Informer*> DeploymentController::inputs() {
  return {&deployments_, &sets_.informer(), &pods_};
}

void DeploymentController::watch(api::WorkQueue& queue) {
  const auto wake = [&queue](const api::ObjectKey& key) { queue.add(key); };
  deployments_.add_handler([wake](const api::ObjectKey& key, const api::ObjectPtr&,
                                  const api::ObjectPtr&) { wake(key); });
  wake_owners(sets_.informer(), deployments_, "Deployment", wake);
  pods_.add_handler(
      [this, wake](const api::ObjectKey&, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        if (now) return;
        for_controller(before, "ReplicaSet", [&](const api::ObjectKey& set) {
          for_controller(sets_.informer().get(set), "Deployment", wake);
        });
      });
}

Task<api::Outcome> DeploymentController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr deployment = deployments_.get(key);
  if (!deployment) {
    writes_.forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the sets
  }
  writes_.settle(key, sets_.informer());
  // A decision on old sizes could pass the surge: wait until our own writes show.
  if (!writes_.current(key, sets_.informer())) co_return api::Outcome::again_after(kCacheLag);

  const json::Value document = deployment->parse();
  const json::Value* spec = json::find(document, {"spec", "selector"});
  if (!spec) co_return Error(Code::kInvalid, "spec.selector is missing");
  CO_TRY(api::LabelSelector selector, api::LabelSelector::from_document(*spec));
  if (selector.everything()) {
    deps_.events.note(*deployment, api::EventLevel::kWarning, "SelectingAll",
                      "This deployment is selecting all pods. A non-empty selector is required.");
    co_return api::Outcome::done();
  }
  CO_TRY(std::vector<api::ObjectPtr> sets,
         co_await sets_.claim(deps_, kDeployments, deployment, std::move(selector)));
  const auto s = std::make_shared<Snapshot>(take(deployment, std::move(sets)));
  if (deployment->header().deleting) co_return co_await finish(s, Judge::kCountsOnly);

  CO_TRY(const bool refreshed, co_await refresh_current(s));
  if (refreshed) co_return api::Outcome::again_after(kCacheLag);
  CO_TRY_OK(co_await carry_out(s, plan(s->view, s->sets)));
  co_return co_await finish(s, s->view.paused ? Judge::kCountsOnly : Judge::kProgressToo);
}

DeploymentController::Snapshot DeploymentController::take(api::ObjectPtr deployment,
                                                          std::vector<api::ObjectPtr> sets) const {
  Snapshot s;
  s.object = deployment;
  s.document = deployment->parse();
  s.view = view_deployment(*deployment, s.document);
  s.set_objects = std::move(sets);
  const json::Value* wanted = json::find(s.document, {"spec", "template"});
  std::vector<std::pair<SetView, api::ObjectPtr>> views;
  for (const api::ObjectPtr& object : s.set_objects) views.emplace_back(view_set(*object), object);
  // Of several with the template, the oldest is the current one.
  std::sort(views.begin(), views.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.created, a.first.name) < std::tie(b.first.created, b.first.name);
  });
  for (auto& [view, object] : views) {
    const json::Value set = object->parse();
    const json::Value* has = json::find(set, {"spec", "template"});
    if (!s.current && wanted && has && same_template(*wanted, *has)) {
      s.current = object;
      s.sets.current = std::move(view);
      continue;
    }
    s.max_old_revision = std::max(s.max_old_revision, view.revision);
    s.sets.old.push_back(std::move(view));
  }
  s.sets.old_pods_running = old_pods_running(s);
  return s;
}

bool DeploymentController::old_pods_running(const Snapshot& s) const {
  if (s.view.strategy != Strategy::kRecreate) return false;
  for (const api::ObjectPtr& set : s.set_objects) {
    if (set == s.current) continue;
    for (const api::ObjectPtr& pod : pods_.owned_by(set->uid())) {
      if (!view_pod(*pod).finished()) return true;
    }
  }
  return std::any_of(s.sets.old.begin(), s.sets.old.end(),
                     [](const SetView& set) { return set.replicas > 0; });
}

Task<bool> DeploymentController::refresh_current(std::shared_ptr<Snapshot> s) {
  if (!s->current) co_return false;
  json::Value set = s->current->parse();
  json::Object annotations =
      wanted_annotations(s->document, s->view, &set, s->max_old_revision + 1);
  // Sizes are remembered where the set is resized: until then they tell a scaling from a rollout.
  for (const std::string_view name : {kDesired, kMax}) {
    const std::string before(annotation(set, name));
    if (!before.empty()) annotations[name] = before;
  }
  const int64_t wait = json::int_at(s->document, {"spec", "minReadySeconds"});
  if (json::equal(json::object_at(set, {"metadata", "annotations"}), annotations) &&
      json::int_at(set, {"spec", "minReadySeconds"}) == wait) {
    co_return false;
  }
  json::set(set, {"metadata", "annotations"}, std::move(annotations));
  json::set(set, {"spec", "minReadySeconds"}, json::Value(wait));
  CO_TRY(const api::ObjectPtr written,
         co_await deps_.client.update(kReplicaSets, s->current->key(), std::move(set)));
  writes_.updated(s->object->key(), written->revision());
  co_return true;
}

Task<> DeploymentController::carry_out(std::shared_ptr<Snapshot> s, DeploymentPlan todo) {
  if (todo.create) CO_TRY_OK(co_await create_set(s, *todo.create));
  for (const Resize& change : todo.resize) CO_TRY_OK(co_await resize(s, change));
  for (const std::string& name : todo.remove) {
    const Result<> removed = co_await deps_.client.remove(kReplicaSets, {s->object->ns(), name});
    if (!removed && removed.error().code() != Code::kNotFound) co_return removed.error();
  }
  co_return Unit{};
}

Task<> DeploymentController::create_set(std::shared_ptr<Snapshot> s, int64_t size) {
  const json::Value* pod_template = json::find(s->document, {"spec", "template"});
  if (!pod_template) co_return Error(Code::kInvalid, "spec.template is missing");
  const std::string hash =
      template_hash(*pod_template, json::int_at(s->view.status, {"collisionCount"}));
  json::Value document =
      new_set(*s->object, s->document, s->view, size, s->max_old_revision + 1, hash);
  const api::ObjectKey key{s->object->ns(),
                           std::string(json::string_at(document, {"metadata", "name"}))};
  Result<api::ObjectPtr> made =
      co_await deps_.client.create(kReplicaSets, key.ns, std::move(document));
  bool ours_already = false;
  if (!made && made.error().code() == Code::kExists) {
    CO_TRY(const api::ObjectPtr there, co_await deps_.client.get(kReplicaSets, key));
    const json::Value set = there->parse();
    const json::Value* has = json::find(set, {"spec", "template"});
    ours_already =
        controller_uid(*there) == s->object->uid() && has && same_template(*pod_template, *has);
    if (!ours_already) co_return co_await note_collision(s);
    made = there;
  }
  if (!made) {
    deps_.events.note(*s->object, api::EventLevel::kWarning, "ReplicaSetCreateError",
                      fmt::format("Failed to create new replica set \"{}\": {}", key.name,
                                  made.error().message()));
    co_return made.error();
  }
  writes_.updated(s->object->key(), (*made)->revision());
  s->current = *made;
  s->sets.current = view_set(**made);
  if (!ours_already && size > 0) {
    deps_.events.note(*s->object, api::EventLevel::kNormal, "ScalingReplicaSet",
                      fmt::format("Scaled up replica set {} from 0 to {}", key.name, size));
  }
  co_return Unit{};
}

// Another set has the name: the next hash will differ.
Task<> DeploymentController::note_collision(std::shared_ptr<Snapshot> s) {
  json::Value document = s->document;
  const int64_t collisions = json::int_at(s->view.status, {"collisionCount"});
  json::set(document, {"status", "collisionCount"}, json::Value(collisions + 1));
  api::WriteOptions options;
  options.subresource = "status";
  CO_TRY_OK(
      co_await deps_.client.update(kDeployments, s->object->key(), std::move(document), options));
  co_return Error(Code::kConflict,
                  "another ReplicaSet has the name that the template's hash gives");
}

Task<> DeploymentController::resize(std::shared_ptr<Snapshot> s, Resize change) {
  const auto object =
      std::find_if(s->set_objects.begin(), s->set_objects.end(),
                   [&](const api::ObjectPtr& set) { return set->name() == change.set; });
  if (object == s->set_objects.end()) co_return Unit{};
  json::Value set = (*object)->parse();
  const std::string desired = std::to_string(s->view.want);
  const std::string most = std::to_string(s->view.want + s->view.max_surge);
  if (change.from == change.to && annotation(set, kDesired) == desired &&
      annotation(set, kMax) == most)
    co_return Unit{};
  json::set(set, {"spec", "replicas"}, json::Value(change.to));
  json::set(set, {"metadata", "annotations", kDesired}, json::Value(desired));
  json::set(set, {"metadata", "annotations", kMax}, json::Value(most));
  CO_TRY(const api::ObjectPtr written,
         co_await deps_.client.update(kReplicaSets, (*object)->key(), std::move(set)));
  writes_.updated(s->object->key(), written->revision());
  for (SetView& view : s->sets.old) {
    if (view.name == change.set) view.size = change.to;
  }
  if (s->sets.current && s->sets.current->name == change.set) s->sets.current->size = change.to;
  if (change.from != change.to) {
    deps_.events.note(
        *s->object, api::EventLevel::kNormal, "ScalingReplicaSet",
        fmt::format("Scaled {} replica set {} from {} to {}",
                    change.from < change.to ? "up" : "down", change.set, change.from, change.to));
  }
  co_return Unit{};
}

Task<api::Outcome> DeploymentController::finish(std::shared_ptr<Snapshot> s, Judge judge) {
  json::Value document = s->document;
  if (s->current) {
    const json::Value set = s->current->parse();
    const std::string revision(annotation(set, kRevision));
    if (!revision.empty() && annotation(document, kRevision) != revision) {
      json::set(document, {"metadata", "annotations", kRevision}, json::Value(revision));
      CO_TRY(const api::ObjectPtr updated,
             co_await deps_.client.update(kDeployments, s->object->key(), std::move(document)));
      document = updated->parse();
    }
  }
  DeploymentStatus wanted = status_of(s->view, s->sets, judge, deps_.now());
  CO_TRY_OK(co_await write_changed_status(deps_, kDeployments, s->object->key(),
                                          std::move(document), std::move(wanted.document)));
  co_return api::Outcome::again_after(wanted.again);
}

}  // namespace atl::controllers

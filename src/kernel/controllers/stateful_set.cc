#include "kernel/controllers/stateful_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "api/controller/conditions.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/pod_writes.h"
#include "kernel/controllers/resources.h"
#include "kernel/controllers/status_write.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kRevisionLabel = "controller-revision-hash";
constexpr std::string_view kPodNameLabel = "statefulset.kubernetes.io/pod-name";
constexpr std::string_view kIndexLabel = "apps.kubernetes.io/pod-index";

std::string pod_name(const api::Object& set, int64_t ordinal) {
  return fmt::format("{}-{}", set.name(), ordinal);
}

// The ordinal in "web-3"; nothing where the name is not of this set.
std::optional<int64_t> ordinal_of(const std::string& set, const std::string& pod) {
  if (!pod.starts_with(set + "-")) return std::nullopt;
  int64_t out = 0;
  const char* begin = pod.data() + set.size() + 1;
  const auto [end, error] = std::from_chars(begin, pod.data() + pod.size(), out);
  if (error != std::errc() || end != pod.data() + pod.size() || out < 0) return std::nullopt;
  return out;
}

bool healthy(const OrdinalPod& one, const StatefulSetView& set, WallTime now) {
  return !one.invisible && one.pod.phase == "Running" && !one.pod.deleting &&
         one.pod.available(set.min_ready, now);
}

void note_wait(const OrdinalPod& one, const StatefulSetView& set, WallTime now,
               StatefulSetPlan& todo) {
  const Duration wait = one.pod.until_available(set.min_ready, now);
  if (wait > Duration(0))
    todo.again = todo.again == Duration(0) ? wait : std::min(todo.again, wait);
}

// False: an ordered set has to wait here.
bool plan_replicas(const StatefulSetView& set, const std::map<int64_t, OrdinalPod>& pods,
                   WallTime now, StatefulSetPlan& todo) {
  for (int64_t ordinal = set.start; ordinal < set.start + set.want; ++ordinal) {
    const auto it = pods.find(ordinal);
    bool wait = true;
    if (it == pods.end()) {
      todo.create.push_back(ordinal);
    } else if (it->second.pod.finished() && !it->second.pod.deleting) {
      todo.remove.push_back(it->second.pod);  // made anew once it is gone
    } else {
      wait = !healthy(it->second, set, now);
      if (wait) note_wait(it->second, set, now, todo);
    }
    if (wait && set.ordered) return false;
  }
  return true;
}

bool plan_condemned(const StatefulSetView& set, const std::map<int64_t, OrdinalPod>& pods,
                    StatefulSetPlan& todo) {
  for (auto it = pods.rbegin(); it != pods.rend(); ++it) {
    const auto& [ordinal, one] = *it;
    if (ordinal >= set.start && ordinal < set.start + set.want) continue;
    if (!one.pod.deleting && !one.invisible) todo.remove.push_back(one.pod);
    if (set.ordered) return false;  // one at a time, from the end
  }
  return true;
}

void plan_update(const StatefulSetView& set, const std::map<int64_t, OrdinalPod>& pods,
                 WallTime now, StatefulSetPlan& todo) {
  for (int64_t ordinal = set.start + set.want - 1; ordinal >= set.start + set.partition;
       --ordinal) {
    const auto it = pods.find(ordinal);
    if (it == pods.end()) return;
    if (it->second.revision != set.update_revision && !it->second.pod.deleting &&
        !it->second.invisible) {
      todo.remove.push_back(it->second.pod);
      return;
    }
    if (healthy(it->second, set, now)) continue;
    note_wait(it->second, set, now, todo);
    return;
  }
}

StatefulSetView view_set(const api::Object& object, const json::Value& document) {
  StatefulSetView view;
  view.want = json::int_at(document, {"spec", "replicas"}, 1);
  view.start = json::int_at(document, {"spec", "ordinals", "start"});
  view.partition = json::int_at(document, {"spec", "updateStrategy", "rollingUpdate", "partition"});
  view.ordered = json::string_at(document, {"spec", "podManagementPolicy"}) != "Parallel";
  view.on_delete = json::string_at(document, {"spec", "updateStrategy", "type"}) == "OnDelete";
  view.deleting = object.header().deleting;
  view.min_ready = std::chrono::seconds(json::int_at(document, {"spec", "minReadySeconds"}));
  return view;
}

std::string claim_name(const json::Value& claim_template, const std::string& pod) {
  return std::string(json::string_at(claim_template, {"metadata", "name"})) + "-" + pod;
}

// The pod's own claims take the place of volumes of the same names.
json::Array volumes_of(const json::Value& set, const json::Value& pod, const std::string& name) {
  json::Array out;
  const json::Array& claims = json::array_at(set, {"spec", "volumeClaimTemplates"});
  const auto claimed = [&](const json::Value& volume) {
    return std::any_of(claims.begin(), claims.end(), [&](const json::Value& claim) {
      return json::string_at(claim, {"metadata", "name"}) == json::string_at(volume, {"name"});
    });
  };
  for (const json::Value& volume : json::array_at(pod, {"spec", "volumes"})) {
    if (!claimed(volume)) out.push_back(volume);
  }
  for (const json::Value& claim : claims) {
    out.push_back(json::Object{
        {"name", json::string_at(claim, {"metadata", "name"})},
        {"persistentVolumeClaim", json::Object{{"claimName", claim_name(claim, name)}}}});
  }
  return out;
}

json::Value make_pod(const api::Object& set, const json::Value& document,
                     const TemplateRevision& revision, int64_t ordinal) {
  json::Value pod = pod_from_template(revision.pod_template, set);
  const std::string name = pod_name(set, ordinal);
  json::set(pod, {"metadata", "name"}, json::Value(name));
  json::set(pod, {"metadata", "namespace"}, json::Value(set.ns()));
  json::set(pod, {"metadata", "labels", kPodNameLabel}, json::Value(name));
  json::set(pod, {"metadata", "labels", kIndexLabel}, json::Value(std::to_string(ordinal)));
  json::set(pod, {"metadata", "labels", kRevisionLabel}, json::Value(revision.name));
  json::set(pod, {"spec", "hostname"}, json::Value(name));
  const std::string_view service = json::string_at(document, {"spec", "serviceName"});
  if (!service.empty()) json::set(pod, {"spec", "subdomain"}, json::Value(service));
  json::Array volumes = volumes_of(document, pod, name);
  if (!volumes.empty()) json::set(pod, {"spec", "volumes"}, std::move(volumes));
  return pod;
}

}  // namespace

StatefulSetPlan plan(const StatefulSetView& set, const std::map<int64_t, OrdinalPod>& pods,
                     WallTime now) {
  StatefulSetPlan todo;
  if (set.deleting) return todo;
  if (!plan_replicas(set, pods, now, todo)) return todo;
  if (!plan_condemned(set, pods, todo)) return todo;
  if (!set.on_delete) plan_update(set, pods, now, todo);
  return todo;
}

StatefulSetController::StatefulSetController(Deps deps)
    : deps_(deps),
      sets_(deps.informers.get(kStatefulSets)),
      pods_(deps.informers.get(kPods)),
      claims_(deps.informers.get(kPersistentVolumeClaims)),
      revisions_(deps) {}

std::vector<api::Informer*> StatefulSetController::inputs() {
  return {&sets_, &pods_.informer(), &claims_, &revisions_.informer()};
}

void StatefulSetController::watch(api::WorkQueue& queue) {
  const auto wake = [&queue](const api::ObjectKey& key) { queue.add(key); };
  sets_.add_handler([wake](const api::ObjectKey& key, const api::ObjectPtr&,
                           const api::ObjectPtr&) { wake(key); });
  wake_owners(pods_.informer(), sets_, "StatefulSet", wake);
  revisions_.informer().add_handler(
      [wake](const api::ObjectKey&, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        for_controller(before, "StatefulSet", wake);
        for_controller(now, "StatefulSet", wake);
      });
}

Task<api::Outcome> StatefulSetController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr set = sets_.get(key);
  if (!set) {
    writes_.forget(key);
    co_return api::Outcome::done();  // the garbage collector removes the pods
  }
  // It goes, and what it owns goes first: a revision made now would be collected and made again,
  // for ever.
  if (set->header().deleting) co_return api::Outcome::done();
  CO_TRY(Snapshot taken, co_await take(set));
  const auto s = std::make_shared<Snapshot>(std::move(taken));
  StatefulSetPlan todo = plan(s->view, s->pods, deps_.now());
  const Duration again = todo.again;
  const Result<> done = co_await carry_out(s, std::move(todo));
  CO_TRY_OK(co_await write_status(s));
  if (!done) co_return done.error();
  std::set<std::string> in_use{s->update.name, s->current.name};
  for (const auto& [ordinal, one] : s->pods) in_use.insert(one.revision);
  CO_TRY_OK(co_await revisions_.truncate(
      set, std::move(in_use), json::int_at(s->document, {"spec", "revisionHistoryLimit"}, 10)));
  co_return api::Outcome::again_after(again);
}

Task<StatefulSetController::Snapshot> StatefulSetController::take(api::ObjectPtr set) {
  Snapshot s;
  s.object = set;
  s.document = set->parse();
  s.view = view_set(*set, s.document);
  const json::Value* spec = json::find(s.document, {"spec", "selector"});
  const json::Value* pod_template = json::find(s.document, {"spec", "template"});
  if (!spec || !pod_template)
    co_return Error(Code::kInvalid, "spec.selector or spec.template is missing");
  CO_TRY(api::LabelSelector selector, api::LabelSelector::from_document(*spec));
  CO_TRY(const std::vector<api::ObjectPtr> mine,
         co_await pods_.claim(deps_, kStatefulSets, set, std::move(selector)));
  CO_TRY(s.update, co_await revisions_.current(set, *pod_template));
  s.view.update_revision = s.update.name;
  s.current = current_revision(*set, s.document, s.update);
  writes_.settle(set->key(), pods_.informer());
  for (const api::ObjectPtr& object : mine) {
    const std::optional<int64_t> ordinal = ordinal_of(set->name(), object->name());
    if (!ordinal) continue;
    OrdinalPod one{view_pod(*object),
                   std::string(api::label(object->header().labels, kRevisionLabel))};
    one.pod.deleting = one.pod.deleting || writes_.was_removed(set->key(), object->uid());
    s.pods.emplace(*ordinal, std::move(one));
  }
  for (const std::string& name : writes_.pending_names(set->key())) {
    if (const auto ordinal = ordinal_of(set->name(), name))
      s.pods.emplace(*ordinal, OrdinalPod{{}, {}, true});
  }
  co_return s;
}

// What status.currentRevision names, while pods of it are still to be replaced.
TemplateRevision StatefulSetController::current_revision(const api::Object& set,
                                                         const json::Value& document,
                                                         const TemplateRevision& update) const {
  const std::string_view name = json::string_at(document, {"status", "currentRevision"});
  for (const TemplateRevision& revision : revisions_.of(set)) {
    if (revision.name == name) return revision;
  }
  return update;
}

Task<> StatefulSetController::carry_out(std::shared_ptr<Snapshot> s, StatefulSetPlan todo) {
  for (const int64_t ordinal : todo.create) CO_TRY_OK(co_await create(s, ordinal));
  for (const PodView& pod : todo.remove) CO_TRY_OK(co_await remove(s, pod));
  co_return Unit{};
}

Task<> StatefulSetController::create(std::shared_ptr<Snapshot> s, int64_t ordinal) {
  const std::string name = pod_name(*s->object, ordinal);
  const bool keeps_old = !s->view.on_delete && ordinal < s->view.start + s->view.partition;
  Result<> claims = co_await create_claims(s, name);
  Result<api::ObjectPtr> made = Error(Code::kInternal, "not tried");
  if (claims) {
    made = co_await deps_.client.create(
        kPods, s->object->ns(),
        make_pod(*s->object, s->document, keeps_old ? s->current : s->update, ordinal));
  } else {
    made = claims.error();
  }
  if (made) {
    writes_.created(s->object->key(), **made);
    deps_.events.note(
        *s->object, api::EventLevel::kNormal, "SuccessfulCreate",
        fmt::format("create Pod {} in StatefulSet {} successful", name, s->object->name()));
    co_return Unit{};
  }
  // The name is its own guard: what exists already will show.
  if (made.error().code() == Code::kExists) co_return Unit{};
  if (namespace_terminates(made.error())) co_return Unit{};
  deps_.events.note(*s->object, api::EventLevel::kWarning, "FailedCreate",
                    fmt::format("create Pod {} in StatefulSet {} failed error: {}", name,
                                s->object->name(), made.error().message()));
  co_return made.error();
}

Task<> StatefulSetController::create_claims(std::shared_ptr<Snapshot> s, std::string pod) {
  for (const json::Value& claim_template :
       json::array_at(s->document, {"spec", "volumeClaimTemplates"})) {
    const api::ObjectKey key{s->object->ns(), claim_name(claim_template, pod)};
    if (claims_.get(key)) continue;
    json::Value claim = claim_template;
    json::erase(claim, {"status"});
    claim.as_object()["apiVersion"] = "v1";
    claim.as_object()["kind"] = "PersistentVolumeClaim";
    json::set(claim, {"metadata", "name"}, json::Value(key.name));
    json::set(claim, {"metadata", "namespace"}, json::Value(key.ns));
    for (const auto& [label, value] :
         json::object_at(s->document, {"spec", "selector", "matchLabels"})) {
      json::set(claim, {"metadata", "labels", label}, value);
    }
    const Result<api::ObjectPtr> made =
        co_await deps_.client.create(kPersistentVolumeClaims, key.ns, std::move(claim));
    if (!made && made.error().code() != Code::kExists) co_return made.error();
  }
  for (const char* when : {"whenDeleted", "whenScaled"}) {
    if (json::string_at(s->document, {"spec", "persistentVolumeClaimRetentionPolicy", when}) !=
        "Delete")
      continue;
    deps_.events.note(
        *s->object, api::EventLevel::kWarning, "RetentionPolicyNotSupported",
        fmt::format(
            "persistentVolumeClaimRetentionPolicy.{}: Delete is not supported, claims are kept",
            when));
  }
  co_return Unit{};
}

Task<> StatefulSetController::remove(std::shared_ptr<Snapshot> s, PodView pod) {
  api::DeleteOptions options;
  options.uid = pod.uid;
  const Result<> removed =
      co_await deps_.client.remove(kPods, {s->object->ns(), pod.name}, options);
  if (removed) {
    writes_.removed(s->object->key(), pod.uid);
    deps_.events.note(
        *s->object, api::EventLevel::kNormal, "SuccessfulDelete",
        fmt::format("delete Pod {} in StatefulSet {} successful", pod.name, s->object->name()));
    co_return Unit{};
  }
  if (removed.error().code() == Code::kNotFound || removed.error().code() == Code::kConflict)
    co_return Unit{};
  deps_.events.note(*s->object, api::EventLevel::kWarning, "FailedDelete",
                    fmt::format("delete Pod {} in StatefulSet {} failed error: {}", pod.name,
                                s->object->name(), removed.error().message()));
  co_return removed.error();
}

Task<> StatefulSetController::write_status(std::shared_ptr<Snapshot> s) {
  int64_t replicas = 0, ready = 0, available = 0, current = 0, updated = 0;
  for (const auto& [ordinal, one] : s->pods) {
    if (one.invisible) continue;
    ++replicas;
    ready += one.pod.ready;
    available += one.pod.available(s->view.min_ready, deps_.now());
    if (one.pod.deleting) continue;
    current += one.revision == s->current.name;
    updated += one.revision == s->update.name;
  }
  std::string current_name = s->current.name;
  if (!s->view.on_delete && updated == replicas && ready == replicas && replicas == s->view.want) {
    current_name = s->update.name;  // the rollout is over
    current = updated;
  }
  json::Object status{{"observedGeneration", s->object->header().generation},
                      {"replicas", replicas},
                      {"availableReplicas", available},
                      {"currentRevision", current_name},
                      {"updateRevision", s->update.name},
                      {"collisionCount", json::int_at(s->document, {"status", "collisionCount"})}};
  const auto put = [&](std::string_view field, int64_t value) {
    if (value != 0) status[field] = value;
  };
  put("readyReplicas", ready);
  put("currentReplicas", current);
  put("updatedReplicas", updated);
  co_return co_await write_changed_status(deps_, kStatefulSets, s->object->key(), s->document,
                                          std::move(status));
}

}  // namespace atl::controllers

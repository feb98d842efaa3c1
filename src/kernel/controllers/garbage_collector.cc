// The graph is a picture of the past, so it is used in one direction only: what it holds is
// believed to exist (an object that is deleted will say so by its event), what it does not hold is
// asked for. So a late informer can delay a deletion, and never cause one.
#include "kernel/controllers/garbage_collector.h"

#include <algorithm>

#include "base/observe/log.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

const api::Gvr kDefinitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions"};
constexpr Duration kKindsLag = std::chrono::seconds(1);
const api::ObjectKey kFollowKinds{"", "kinds"};

bool collectable(const Collection& what) {
  return what.can("list") && what.can("watch") && what.can("delete") &&
         what.gvr.resource != "events";
}

json::Value patch_of(const api::Object& object, std::string_view field, json::Array value) {
  return json::Object{
      {"metadata", json::Object{{"uid", object.uid()},
                                {"resourceVersion", std::to_string(object.revision().value)},
                                {field, std::move(value)}}}};
}

bool gone(const Error& error) {
  return error.code() == Code::kNotFound;
}

}  // namespace

GarbageCollector::GarbageCollector(Deps deps, const KindSource& kinds)
    : deps_(deps),
      kinds_(kinds),
      definitions_(deps.informers.get(kDefinitions)),
      custom_(deps.client, deps.seams) {}

std::vector<api::Informer*> GarbageCollector::inputs() {
  // Custom kinds are not waited for: one that cannot be listed must not stop the rest.
  std::vector<api::Informer*> out;
  for (const auto& [resource, informer] : watched_) {
    if (!custom_.find(resource)) out.push_back(informer);
  }
  return out;
}

void GarbageCollector::watch(api::WorkQueue& queue) {
  queue_ = &queue;
  for (const Collection& what : kinds_.collections()) {
    if (collectable(what) && !what.custom) observe(what.gvr, deps_.informers.get(what.gvr));
  }
  definitions_.add_handler(
      [this](const api::ObjectKey&, const api::ObjectPtr&, const api::ObjectPtr&) {
        queue_->add(kFollowKinds);
        queue_->add_after(kFollowKinds, kKindsLag);  // the kind may be served a moment later
      });
  queue.add(kFollowKinds);
}

void GarbageCollector::observe(const api::Gvr& resource, api::Informer& informer) {
  watched_[resource] = &informer;
  informer.add_handler(
      [this, resource](const api::ObjectKey&, const api::ObjectPtr& before,
                       const api::ObjectPtr& now) { on_change(resource, before, now); });
}

Task<> GarbageCollector::follow_kinds() {
  if (kinds_seen_ == kinds_.generation() && kinds_seen_ != 0) co_return Unit{};
  kinds_seen_ = kinds_.generation();
  std::set<api::Gvr> served;
  for (const Collection& what : kinds_.collections()) {
    if (!collectable(what)) continue;
    served.insert(what.gvr);
    if (watched_.contains(what.gvr)) continue;
    custom_.start();
    observe(what.gvr, custom_.get(what.gvr));
  }
  std::vector<api::Gvr> ended;
  for (const auto& [resource, informer] : watched_) {
    if (!served.contains(resource) && custom_.find(resource)) ended.push_back(resource);
  }
  for (const api::Gvr& resource : ended) {
    for (const api::ObjectPtr& object : watched_.at(resource)->list())
      on_change(resource, object, nullptr);
    watched_.erase(resource);
    co_await custom_.remove(resource);
  }
  // Owners of kinds that nobody knew may be known now.
  const std::set<std::string> waiting = std::exchange(unknown_kinds_, {});
  for (const std::string& uid : waiting) wake(uid);
  co_return Unit{};
}

void GarbageCollector::wake_all(const std::vector<std::string>& uids) {
  for (const std::string& uid : uids) wake(uid);
}

void GarbageCollector::on_change(const api::Gvr& resource, const api::ObjectPtr& before,
                                 const api::ObjectPtr& now) {
  if (!now) {
    const std::string uid = before->uid();
    wake_all(graph_.dependents(uid));
    graph_.remove(uid);
    told_.erase(uid);
    // Owners may wait for exactly this one.
    for (const api::OwnerRef& owner : before->header().owners) wake(owner.uid);
    return;
  }
  const bool owners_changed = !before || before->header().owners != now->header().owners;
  const std::vector<std::string> released = graph_.put(resource, *now);
  if (owners_changed) {
    wake_all(released);
    for (const api::OwnerRef& owner : now->header().owners) {
      const OwnedNode* known = graph_.find(owner.uid);
      // New dependents of an owner that is there need nothing.
      if (!known)
        wake(now->uid());
      else if (known->deleting)
        wake(owner.uid), wake(now->uid());
    }
  }
  if (now->header().deleting) wake(now->uid());
}

Task<api::Outcome> GarbageCollector::reconcile(api::ObjectKey key) {
  if (key == kFollowKinds) {
    CO_TRY_OK(co_await follow_kinds());
    co_return api::Outcome::done();
  }
  const std::string& uid = key.name;
  const OwnedNode* found = graph_.find(uid);
  if (!found) co_return api::Outcome::done();
  if (found->orphans_dependents) co_return co_await finish_orphaning(uid);
  if (found->waits_for_dependents) co_return co_await finish_foreground(uid);
  if (found->deleting || found->owners.empty()) co_return api::Outcome::done();

  const OwnedNode object = *found;
  std::vector<OwnerState> states;
  for (const api::OwnerRef& owner : object.owners) {
    const Result<OwnerState> state = co_await look_up(object, owner);
    if (!state && state.error().code() == Code::kNotAcceptable) {
      // Its kind is unknown, or the reference cannot be right: nothing is deleted on a guess.
      unknown_kinds_.insert(uid);
      co_return api::Outcome::done();
    }
    if (!state) co_return state.error();
    states.push_back(*state);
  }
  CO_TRY_OK(co_await carry_out(uid, judge(object, states, graph_.has_dependents(uid))));
  co_return api::Outcome::done();
}

Task<OwnerState> GarbageCollector::look_up(const OwnedNode& given, api::OwnerRef owner) {
  const OwnedNode object = given;
  const OwnedNode* known = graph_.find(owner.uid);
  // An owner lives in the same namespace, or in none.
  if (known && known->gvk.kind == owner.kind && known->key.name == owner.name &&
      (known->key.ns.empty() || known->key.ns == object.key.ns)) {
    co_return known->deleting && known->waits_for_dependents ? OwnerState::kWaiting
                                                             : OwnerState::kSolid;
  }
  const Result<api::GroupVersion> gv = api::parse_group_version(owner.api_version);
  if (!gv) co_return Error(Code::kNotAcceptable, "bad apiVersion in an owner reference");
  const std::optional<Collection> kind = kinds_.find({gv->group, gv->version, owner.kind});
  if (!kind) co_return Error(Code::kNotAcceptable, "unknown kind of an owner");
  if (kind->namespaced && object.key.ns.empty()) {
    co_await tell_bad_namespace(object, owner);
    co_return Error(Code::kNotAcceptable, "a cluster-scoped object cannot have a namespaced owner");
  }
  const api::ObjectKey key{kind->namespaced ? object.key.ns : "", owner.name};
  const Result<api::ObjectPtr> live = co_await deps_.client.get(kind->gvr, key);
  if (!live && !gone(live.error())) co_return live.error();
  if (live && (*live)->uid() == owner.uid) {
    co_return (*live)->header().deleting &&
            (*live)->text().find("foregroundDeletion") != std::string::npos
        ? OwnerState::kWaiting
        : OwnerState::kSolid;
  }
  // It exists, in another namespace: the reference is wrong, and the object goes, but not without a
  // word.
  if (known) co_await tell_bad_namespace(object, owner);
  co_return OwnerState::kGone;
}

Async<void> GarbageCollector::tell_bad_namespace(OwnedNode object, api::OwnerRef owner) {
  const auto informer = watched_.find(object.gvr);
  const api::ObjectPtr about =
      informer == watched_.end() ? nullptr : informer->second->get(object.key);
  if (!about || !told_.insert(about->uid()).second) co_return;
  deps_.events.note(*about, api::EventLevel::kWarning, "OwnerRefInvalidNamespace",
                    "ownerRef [" + owner.api_version + "/" + owner.kind + ", name: " + owner.name +
                        ", uid: " + owner.uid + "] does not exist in namespace \"" + object.key.ns +
                        "\"");
}

Task<> GarbageCollector::carry_out(std::string uid, OwnerVerdict verdict) {
  const OwnedNode* found = graph_.find(uid);
  if (!found) co_return Unit{};
  switch (verdict.act) {
    case OwnerVerdict::Act::kKeep:
      break;
    case OwnerVerdict::Act::kDropReferences:
      co_return co_await drop_references(uid, std::move(verdict.drop));
    case OwnerVerdict::Act::kDelete: {
      api::DeleteOptions options;
      options.uid = uid;
      options.propagation = verdict.propagation;
      const OwnedNode object = *found;
      const Result<> removed = co_await deps_.client.remove(object.gvr, object.key, options);
      if (!removed && !gone(removed.error()) && removed.error().code() != Code::kConflict)
        co_return removed.error();
      log::debug("garbage collected",
                 {{"resource", object.gvr.group_resource()}, {"key", object.key.text()}});
    }
  }
  co_return Unit{};
}

// Writes the entries of a list in the metadata anew without those that go. Nothing where the object
// is gone, or another one of its name came.
Task<> GarbageCollector::drop_entries(std::string uid, std::string list,
                                      std::function<bool(const json::Value& entry)> goes) {
  const OwnedNode* found = graph_.find(uid);
  if (!found) co_return Unit{};
  const OwnedNode object = *found;
  const Result<api::ObjectPtr> live = co_await deps_.client.get(object.gvr, object.key);
  if (!live && gone(live.error())) co_return Unit{};
  if (!live) co_return live.error();
  if ((*live)->uid() != uid) co_return Unit{};
  json::Array left;
  const json::Value document = (*live)->parse();
  for (const json::Value& entry : json::array_at(document, {"metadata", list})) {
    if (!goes(entry)) left.push_back(entry);
  }
  const Result<api::ObjectPtr> patched = co_await deps_.client.patch(
      object.gvr, object.key, api::PatchType::kMerge, patch_of(**live, list, std::move(left)));
  if (!patched && !gone(patched.error())) co_return patched.error();
  co_return Unit{};
}

Task<> GarbageCollector::drop_references(std::string uid, std::vector<std::string> owners) {
  return drop_entries(
      std::move(uid), "ownerReferences", [owners = std::move(owners)](const json::Value& entry) {
        return std::find(owners.begin(), owners.end(), json::string_at(entry, {"uid"})) !=
               owners.end();
      });
}

Task<> GarbageCollector::drop_finalizer(std::string uid, std::string finalizer) {
  return drop_entries(std::move(uid), "finalizers",
                      [finalizer = std::move(finalizer)](const json::Value& entry) {
                        return entry.is_string() && entry.get_string() == finalizer;
                      });
}

// The owner goes once no dependent that blocks it is left.
Task<api::Outcome> GarbageCollector::finish_foreground(std::string uid) {
  bool blocked = false;
  for (const std::string& dependent : graph_.dependents(uid)) {
    const OwnedNode* node = graph_.find(dependent);
    if (!node) continue;
    const bool blocks = std::any_of(
        node->owners.begin(), node->owners.end(),
        [&](const api::OwnerRef& owner) { return owner.uid == uid && owner.block_owner_deletion; });
    blocked = blocked || blocks;
    if (!node->deleting) wake(dependent);
  }
  if (!blocked) CO_TRY_OK(co_await drop_finalizer(uid, "foregroundDeletion"));
  co_return api::Outcome::done();
}

// The dependents are freed one by one; then the owner goes.
Task<api::Outcome> GarbageCollector::finish_orphaning(std::string uid) {
  for (const std::string& dependent : graph_.dependents(uid)) {
    CO_TRY_OK(co_await drop_references(dependent, {uid}));
  }
  CO_TRY_OK(co_await drop_finalizer(uid, "orphan"));
  co_return api::Outcome::done();
}

}  // namespace atl::controllers

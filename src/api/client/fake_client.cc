#include "api/client/fake_client.h"

#include <algorithm>

#include "api/select/select.h"

namespace atl::api {
namespace {

const Gvr kPods{"", "v1", "pods"};
const Gvr kNamespaces{"", "v1", "namespaces"};

Error not_found(const Gvr& resource, const std::string& name) {
  return Error(Code::kNotFound, resource.group_resource() + " \"" + name + "\" not found");
}

// RFC 7386.
void merge(json::Value& into, const json::Value& patch) {
  if (!patch.is_object()) {
    into = patch;
    return;
  }
  if (!into.is_object()) into.emplace_object();
  json::Object& object = into.get_object();
  for (const auto& [key, value] : patch.get_object()) {
    if (value.is_null()) {
      object.erase(key);
    } else {
      merge(object[key], value);
    }
  }
}

json::Value without(json::Value document, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) json::erase(document, {key});
  return document;
}

void keep_field(json::Value& document, const json::Value& from, json::Path path) {
  if (const json::Value* old = json::find(from, path)) {
    json::set(document, path, *old);
  } else {
    json::erase(document, path);
  }
}

bool has_finalizers(const json::Value& document) {
  return !json::array_at(document, {"metadata", "finalizers"}).empty() ||
         (json::string_at(document, {"kind"}) == "Namespace" &&
          !json::array_at(document, {"spec", "finalizers"}).empty());
}

void add_finalizer(json::Value& document, std::string_view name) {
  json::Array all = json::array_at(document, {"metadata", "finalizers"});
  if (std::find(all.begin(), all.end(), json::Value(name)) == all.end())
    all.push_back(json::Value(name));
  json::set(document, {"metadata", "finalizers"}, std::move(all));
}

// The seconds a pod may take to stop; 0: it can go at once.
int64_t pod_grace(const json::Value& pod, std::optional<int64_t> asked) {
  const std::string_view phase = json::string_at(pod, {"status", "phase"});
  if (json::string_at(pod, {"spec", "nodeName"}).empty() || phase == "Succeeded" ||
      phase == "Failed")
    return 0;
  return asked.value_or(json::int_at(pod, {"spec", "terminationGracePeriodSeconds"}, 30));
}

struct Filter {
  std::string ns;
  LabelSelector labels;
  FieldSelector fields;

  static Result<Filter> make(const std::string& ns, const std::string& labels,
                             const std::string& fields) {
    Filter filter;
    filter.ns = ns;
    TRY(filter.labels, LabelSelector::parse(labels));
    TRY(filter.fields, FieldSelector::parse(fields));
    return filter;
  }
  bool matches(const ObjectPtr& object) const {
    if (!object || (!ns.empty() && object->ns() != ns) || !labels.matches(object->header().labels))
      return false;
    if (fields.everything()) return true;
    const json::Value document = object->parse();
    return fields.matches([&](const std::string& field) { return field_text(document, field); });
  }
};

}  // namespace

class FakeWatch final : public Watch {
 public:
  FakeWatch(FakeClient& client, Gvr resource, Filter filter, Revision from)
      : client_(client),
        in_(client.collection(resource)),
        filter_(std::move(filter)),
        seen_(from),
        epoch_(client.epoch_) {}

  Task<WatchEvent> next() override {
    while (true) {
      if (epoch_ != client_.epoch_) co_return Error(Code::kUnavailable, "the watch was closed");
      if (seen_ < client_.compacted_ && behind())
        co_return Error(Code::kGone, "too old resource version");
      if (std::optional<WatchEvent> event = pick()) {
        if (client_.event_delay_) co_await client_.timer_.sleep_for(client_.event_delay_());
        co_return *std::move(event);
      }
      const bool woken = co_await in_.changed.wait();
      if (!woken) co_return Error(Code::kCancelled, "the watch was cancelled");
    }
  }

 private:
  // Whether history that this watcher has not seen is lost.
  bool behind() const { return in_.log.empty() || seen_ < in_.log.front().revision; }

  std::optional<WatchEvent> pick() {
    auto at = std::upper_bound(
        in_.log.begin(), in_.log.end(), seen_,
        [](Revision seen, const FakeClient::Logged& entry) { return seen < entry.revision; });
    for (; at != in_.log.end(); ++at) {
      seen_ = at->revision;
      if (!at->before && !at->after) return WatchEvent{EventType::kBookmark, nullptr, at->revision};
      const bool was = filter_.matches(at->before);
      const bool is = filter_.matches(at->after);
      if (!was && !is) continue;
      const EventType type = !was ? EventType::kAdded
                             : is ? EventType::kModified
                                  : EventType::kDeleted;
      return WatchEvent{type, at->after ? at->after : at->before, at->revision};
    }
    return std::nullopt;
  }

  FakeClient& client_;
  FakeClient::Collection& in_;
  Filter filter_;
  Revision seen_;
  uint64_t epoch_;
};

FakeClient::Collection& FakeClient::collection(const Gvr& resource) {
  auto& slot = collections_[resource];
  if (!slot) slot = std::make_unique<Collection>();
  return *slot;
}

void FakeClient::count(std::string_view verb) {
  ++calls_[std::string(verb)];
}

size_t FakeClient::calls(std::string_view verb) const {
  const auto it = calls_.find(verb);
  return it == calls_.end() ? 0 : it->second;
}

Result<> FakeClient::fault(Fault::When when, const FakeCall& call) {
  if (when == Fault::When::kBefore) count(call.verb);
  if (!faults_) return Unit{};
  std::optional<Fault> fault = faults_(call);
  if (fault && fault->when == when) return std::move(fault->error);
  return Unit{};
}

Async<void> FakeClient::travel() {
  if (latency_) co_await timer_.sleep_for(latency_() / 2);
}

ObjectPtr FakeClient::commit(Collection& in, const ObjectKey& key, ObjectPtr before,
                             json::Value document) {
  revision_ = revision_.next();
  ObjectPtr after = *Object::from_document(std::move(document), revision_);
  in.objects[key] = after;
  in.log.push_back({revision_, std::move(before), after});
  in.changed.notify();
  return after;
}

void FakeClient::erase(Collection& in, const ObjectKey& key) {
  const auto it = in.objects.find(key);
  revision_ = revision_.next();
  in.log.push_back({revision_, *Object::from_document(it->second->parse(), revision_), nullptr});
  if (it->second->header().gvk.kind == "Namespace") ended_namespaces_.insert(key.name);
  in.objects.erase(it);
  in.changed.notify();
}

Result<ObjectPtr> FakeClient::settle(const Gvr& resource, const ObjectPtr& before,
                                     json::Value document) {
  Collection& in = collection(resource);
  const ObjectKey key = before->key();
  TRY(ObjectPtr after, Object::from_document(document, before->revision()));
  if (after->header().deleting && !has_finalizers(document) &&
      json::int_at(document, {"metadata", "deletionGracePeriodSeconds"}) == 0) {
    erase(in, key);
    return after;
  }
  if (after->text() == before->text()) return before;
  return commit(in, key, before, std::move(document));
}

Result<ObjectPtr> FakeClient::do_create(const Gvr& resource, const std::string& ns,
                                        json::Value document) {
  std::string name(json::string_at(document, {"metadata", "name"}));
  if (name.empty()) {
    const std::string_view prefix = json::string_at(document, {"metadata", "generateName"});
    if (prefix.empty())
      return Error(Code::kInvalid, "metadata.name: a name or generateName is required");
    name = std::string(prefix) + rng_.name_suffix(5);
  }
  const ObjectKey key{ns, name};
  Collection& in = collection(resource);
  if (in.objects.contains(key))
    return Error(Code::kExists, resource.group_resource() + " \"" + name + "\" already exists");
  if (!ns.empty()) {
    if (ended_namespaces_.contains(ns)) return not_found(kNamespaces, ns);
    const ObjectPtr space = peek(kNamespaces, {"", ns});
    if (space && space->header().deleting) {
      return Error(Code::kForbidden, "namespace " + ns + " is being terminated")
          .with_cause({"NamespaceTerminating", "namespace " + ns + " is being terminated",
                       "metadata.namespace"});
    }
    json::set(document, {"metadata", "namespace"}, json::Value(ns));
  }
  json::set(document, {"metadata", "name"}, json::Value(name));
  json::set(document, {"metadata", "uid"}, json::Value(rng_.uuid()));
  json::set(document, {"metadata", "creationTimestamp"}, json::Value(rfc3339(timer_.now())));
  if (json::find(document, {"spec"}))
    json::set(document, {"metadata", "generation"}, json::Value(1));
  if (resource == kNamespaces) {
    ended_namespaces_.erase(name);
    json::set(document, {"spec", "finalizers"}, json::Array{"kubernetes"});
    json::set(document, {"status", "phase"}, json::Value("Active"));
    json::set(document, {"metadata", "labels", "kubernetes.io/metadata.name"}, json::Value(name));
  }
  if (resource == kPods) json::set(document, {"status", "phase"}, json::Value("Pending"));
  TRY_OK(Object::from_document(document, revision_));
  return commit(in, key, nullptr, std::move(document));
}

Result<ObjectPtr> FakeClient::do_update(const Gvr& resource, const ObjectKey& key,
                                        json::Value document, std::string_view sub) {
  Collection& in = collection(resource);
  const auto it = in.objects.find(key);
  if (it == in.objects.end()) return not_found(resource, key.name);
  const ObjectPtr before = it->second;
  const std::string_view version = json::string_at(document, {"metadata", "resourceVersion"});
  if (!version.empty() && version != std::to_string(before->revision().value)) {
    return Error(Code::kConflict,
                 "the object has been modified; please apply your changes to the latest version");
  }
  const json::Value old = before->parse();
  if (sub == "status") {
    json::Value next = old;
    keep_field(next, document, {"status"});
    return settle(resource, before, std::move(next));
  }
  if (sub == "finalize") {
    json::Value next = old;
    keep_field(next, document, {"spec", "finalizers"});
    return settle(resource, before, std::move(next));
  }
  if (!sub.empty())
    return Error(Code::kNotFound, "the fake has no subresource " + std::string(sub));
  keep_field(document, old, {"status"});
  for (const std::string_view field :
       {"uid", "name", "namespace", "creationTimestamp", "deletionTimestamp", "generation",
        "deletionGracePeriodSeconds"}) {
    keep_field(document, old, {"metadata", field});
  }
  if (!json::equal(without(document, {"metadata", "status"}),
                   without(old, {"metadata", "status"})) &&
      json::find(old, {"spec"})) {
    json::set(document, {"metadata", "generation"}, json::Value(before->header().generation + 1));
  }
  return settle(resource, before, std::move(document));
}

Result<> FakeClient::do_remove(const Gvr& resource, const ObjectKey& key,
                               const DeleteOptions& options) {
  const ObjectPtr before = peek(resource, key);
  if (!before) return not_found(resource, key.name);
  if (!options.uid.empty() && options.uid != before->uid()) {
    return Error(Code::kConflict, "the UID in the precondition does not match the UID in record");
  }
  if (options.resource_version && options.resource_version != before->revision()) {
    return Error(Code::kConflict, "the resourceVersion in the precondition does not match");
  }
  json::Value document = before->parse();
  if (!before->header().deleting || options.propagation == "Orphan") {
    if (options.propagation == "Foreground") add_finalizer(document, "foregroundDeletion");
    if (options.propagation == "Orphan") add_finalizer(document, "orphan");
  }
  const int64_t grace = resource == kPods ? pod_grace(document, options.grace_seconds) : 0;
  if (!before->header().deleting) {
    json::set(document, {"metadata", "deletionTimestamp"},
              json::Value(rfc3339(timer_.now() + std::chrono::seconds(grace))));
    if (json::find(document, {"metadata", "generation"})) {
      json::set(document, {"metadata", "generation"}, json::Value(before->header().generation + 1));
    }
  }
  const int64_t left = json::int_at(document, {"metadata", "deletionGracePeriodSeconds"}, grace);
  json::set(document, {"metadata", "deletionGracePeriodSeconds"},
            json::Value(std::min(left, grace)));
  if (resource == kNamespaces) json::set(document, {"status", "phase"}, json::Value("Terminating"));
  TRY_OK(settle(resource, before, std::move(document)));
  return Unit{};
}

Result<json::Value> FakeClient::bind(const ObjectKey& key, const json::Value& binding) {
  const ObjectPtr before = peek(kPods, key);
  if (!before) return not_found(kPods, key.name);
  json::Value pod = before->parse();
  if (!json::string_at(pod, {"spec", "nodeName"}).empty()) {
    return Error(Code::kConflict, "pod " + key.name + " is already assigned to node \"" +
                                      std::string(json::string_at(pod, {"spec", "nodeName"})) +
                                      "\"");
  }
  if (before->header().deleting)
    return Error(Code::kConflict,
                 "pod " + key.name + " is being deleted, cannot be assigned to a host");
  json::set(pod, {"spec", "nodeName"}, json::Value(json::string_at(binding, {"target", "name"})));
  json::Array conditions;
  for (const json::Value& c : json::array_at(pod, {"status", "conditions"})) {
    if (json::string_at(c, {"type"}) != "PodScheduled") conditions.push_back(c);
  }
  conditions.push_back(json::Object{
      {"type", "PodScheduled"}, {"status", "True"}, {"lastTransitionTime", rfc3339(timer_.now())}});
  json::set(pod, {"status", "conditions"}, std::move(conditions));
  commit(collection(kPods), key, before, std::move(pod));
  return json::Value(json::Object{{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}});
}

Task<ObjectPtr> FakeClient::get(Gvr resource, ObjectKey key) {
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, {"get", resource, key, {}}));
  if (ObjectPtr found = peek(resource, key)) co_return found;
  co_return not_found(resource, key.name);
}

Task<ObjectList> FakeClient::list(Gvr resource, ListOptions options) {
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, {"list", resource, ObjectKey{options.ns, {}}, {}}));
  CO_TRY(const Filter filter,
         Filter::make(options.ns, options.label_selector, options.field_selector));
  ObjectList out;
  for (const auto& [key, object] : collection(resource).objects) {
    if (filter.matches(object)) out.items.push_back(object);
  }
  out.revision = revision_;
  co_return out;
}

Task<std::unique_ptr<Watch>> FakeClient::watch(Gvr resource, WatchOptions options) {
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, {"watch", resource, ObjectKey{options.ns, {}}, {}}));
  CO_TRY(Filter filter, Filter::make(options.ns, options.label_selector, options.field_selector));
  co_return std::make_unique<FakeWatch>(*this, resource, std::move(filter), options.from);
}

Task<ObjectPtr> FakeClient::create(Gvr resource, std::string ns, json::Value document,
                                   WriteOptions options) {
  const ObjectKey key{ns, std::string(json::string_at(document, {"metadata", "name"}))};
  const FakeCall call{"create", resource, key, options.subresource};
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, call));
  CO_TRY(ObjectPtr made, do_create(resource, ns, std::move(document)));
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kAfter, call));
  co_return made;
}

Task<ObjectPtr> FakeClient::update(Gvr resource, ObjectKey key, json::Value document,
                                   WriteOptions options) {
  const FakeCall call{"update", resource, key, options.subresource};
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, call));
  CO_TRY(ObjectPtr made, do_update(resource, key, std::move(document), options.subresource));
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kAfter, call));
  co_return made;
}

Task<ObjectPtr> FakeClient::patch(Gvr resource, ObjectKey key, PatchType type, json::Value patch,
                                  PatchOptions options) {
  const FakeCall call{"patch", resource, key, options.subresource};
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, call));
  if (type != PatchType::kMerge)
    co_return Error(Code::kUnsupportedMedia, "the fake knows merge patches only");
  const ObjectPtr before = peek(resource, key);
  if (!before) co_return not_found(resource, key.name);
  json::Value document = before->parse();
  merge(document, patch);
  CO_TRY(ObjectPtr made, do_update(resource, key, std::move(document), options.subresource));
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kAfter, call));
  co_return made;
}

Task<> FakeClient::remove(Gvr resource, ObjectKey key, DeleteOptions options) {
  const FakeCall call{"delete", resource, key, {}};
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, call));
  CO_TRY_OK(do_remove(resource, key, options));
  co_await travel();
  co_return fault(Fault::When::kAfter, call);
}

Task<json::Value> FakeClient::post(Gvr resource, ObjectKey key, std::string subresource,
                                   json::Value document) {
  const FakeCall call{"post", resource, key, subresource};
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kBefore, call));
  if (resource != kPods || (subresource != "binding" && subresource != "eviction")) {
    co_return Error(Code::kNotFound, "the fake has no subresource " + subresource + " of " +
                                         resource.group_resource());
  }
  json::Value reply;
  if (subresource == "binding") {
    CO_TRY(reply, bind(key, document));
  } else {
    CO_TRY_OK(do_remove(resource, key, {}));
  }
  co_await travel();
  CO_TRY_OK(fault(Fault::When::kAfter, call));
  co_return reply;
}

ObjectPtr FakeClient::peek(const Gvr& resource, const ObjectKey& key) const {
  const auto in = collections_.find(resource);
  if (in == collections_.end()) return nullptr;
  const auto it = in->second->objects.find(key);
  return it == in->second->objects.end() ? nullptr : it->second;
}

std::vector<ObjectPtr> FakeClient::peek_all(const Gvr& resource) const {
  std::vector<ObjectPtr> out;
  const auto in = collections_.find(resource);
  if (in == collections_.end()) return out;
  for (const auto& [key, object] : in->second->objects) out.push_back(object);
  return out;
}

std::vector<Gvr> FakeClient::resources() const {
  std::vector<Gvr> out;
  for (const auto& [resource, in] : collections_) {
    if (!in->objects.empty()) out.push_back(resource);
  }
  return out;
}

Result<ObjectPtr> FakeClient::put(const Gvr& resource, json::Value document) {
  const std::string ns(json::string_at(document, {"metadata", "namespace"}));
  const ObjectKey key{ns, std::string(json::string_at(document, {"metadata", "name"}))};
  const ObjectPtr before = peek(resource, key);
  const json::Value* given = json::find(document, {"status"});
  const std::optional<json::Value> status =
      given ? std::optional<json::Value>(*given) : std::nullopt;
  ObjectPtr made;
  if (before) {
    json::erase(document, {"metadata", "resourceVersion"});
    TRY(made, do_update(resource, key, std::move(document), {}));
  } else {
    TRY(made, do_create(resource, ns, std::move(document)));
  }
  if (!status) return made;
  return do_update(resource, made->key(), json::Object{{"status", *status}}, "status");
}

Result<> FakeClient::drop(const Gvr& resource, const ObjectKey& key) {
  Collection& in = collection(resource);
  if (!in.objects.contains(key)) return not_found(resource, key.name);
  erase(in, key);
  return Unit{};
}

void FakeClient::break_watches() {
  ++epoch_;
  for (auto& [resource, in] : collections_) in->changed.notify();
}

void FakeClient::compact() {
  compacted_ = revision_.next();
  revision_ = compacted_;
  for (auto& [resource, in] : collections_) {
    in->log.clear();
    in->changed.notify();
  }
}

void FakeClient::send_bookmarks() {
  for (auto& [resource, in] : collections_) {
    in->log.push_back({revision_, nullptr, nullptr});
    in->changed.notify();
  }
}

}  // namespace atl::api

#include "api/apply/apply.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/attempt.h"
#include "kernel/apiserver/registry/body_checks.h"
#include "kernel/apiserver/registry/stored_object.h"

namespace atl::apiserver {
namespace {

constexpr size_t kGeneratedBaseMax = 58;
constexpr size_t kGeneratedSuffix = 5;
constexpr int kGenerateTries = 8;

bool keeps_status(const std::vector<std::unique_ptr<KindHook>>& hooks) {
  for (const auto& hook : hooks) {
    if (hook->keeps_status_on_create()) return true;
  }
  return false;
}

// What a caller may not bring along.
void drop_forged(json::Value& object) {
  for (const std::string_view field : {"creationTimestamp", "deletionTimestamp", "selfLink",
                                       "deletionGracePeriodSeconds", "uid", "generation"}) {
    json::erase(object, {"metadata", field});
  }
}

void fill_metadata(const api::Kind& kind, json::Value& object, WallTime now, Rng& rng) {
  json::set(object, {"metadata", "uid"}, json::Value(rng.uuid()));
  json::set(object, {"metadata", "creationTimestamp"}, json::Value(rfc3339(now)));
  if (kind.has_generation) json::set(object, {"metadata", "generation"}, json::Value(1));
}

}  // namespace

Task<Written> Registry::create(Call call, Body body) {
  CO_TRY_OK(accept_object(call, body, NameInBody::kFree));
  if (!json::string_at(body.document, {"metadata", "resourceVersion"}).empty()) {
    co_return Error(Code::kBadRequest,
                    "resourceVersion should not be set on objects to be created");
  }
  co_return co_await create_stored(std::move(call), std::move(body.document), Ownership::kTrack);
}

// `object` is accepted, in the version of the request.
Task<Written> Registry::create_stored(Call call, json::Value object, Ownership ownership) {
  Attempt attempt(parts_, call);
  parts_.versions.to_stored(*call.kind, *attempt.kind, object);
  attempt.object = std::move(object);
  drop_forged(attempt.object);
  if (attempt.kind->has_status() && !keeps_status(attempt.hooks)) {
    json::erase(attempt.object, {"status"});
  }
  if (ownership == Ownership::kTrack && attempt.kind->schema) {
    api::track_update(*attempt.kind->schema, nullptr, attempt.object,
                      {call.manager, call.kind->gvk.group_version().text(), call.subresource},
                      attempt.now);
  }
  AdmissionRequest admission = attempt.admission_request(Operation::kCreate);
  CO_TRY_OK(co_await parts_.admission.mutate(admission));
  call.warnings->insert(call.warnings->end(), admission.warnings.begin(), admission.warnings.end());

  if (!attempt.name().empty()) co_return co_await create_once(attempt);
  const std::string base(
      json::string_at(attempt.object, {"metadata", "generateName"}).substr(0, kGeneratedBaseMax));
  if (base.empty()) {
    co_return api::invalid(call.kind->gvk, "",
                           {{"FieldValueRequired",
                             "Required value: name or generateName is required", "metadata.name"}});
  }
  const std::string ns = attempt.kind->namespaced ? call.key.ns : "";
  ResourceCache& resource = cache().of(attempt.kind->gvr.group, attempt.kind->gvr.resource);
  // A name that is free now. Another write may still take it before ours is committed, once in
  // millions: a client is told then, rather than every create copying its object for another try.
  for (int left = kGenerateTries; left > 0; --left) {
    const std::string name = base + parts_.rng.name_suffix(kGeneratedSuffix);
    if (resource.get(api::ObjectKey{ns, name}.text())) continue;
    json::set(attempt.object, {"metadata", "name"}, json::Value(name));
    auto written = co_await create_once(attempt);
    if (written || written.error().code() != Code::kExists) co_return std::move(written);
    break;
  }
  co_return Error(
      Code::kExists,
      attempt.group_resource() + " \"" + base +
          "\" already exists, the server was not able to generate a unique name for the object")
      .with_retry_after(std::chrono::seconds(1));
}

Task<Written> Registry::create_once(Attempt& attempt) {
  const Call& call = attempt.call;
  fill_metadata(*attempt.kind, attempt.object, attempt.now, parts_.rng);
  CO_TRY_OK(attempt.prepare());
  CO_TRY_OK(attempt.check());
  AdmissionRequest admission = attempt.admission_request(Operation::kCreate);
  CO_TRY_OK(co_await parts_.admission.validate(admission));
  attempt.agreed.emplace(std::move(admission));
  CO_TRY_OK(attempt.reserve());

  ResourceCache& resource = cache().of(attempt.kind->gvr.group, attempt.kind->gvr.resource);
  const std::string item =
      api::ObjectKey{attempt.kind->namespaced ? call.key.ns : "", attempt.name()}.text();
  if (resource.get(item)) co_return already_exists(attempt.group_resource(), attempt.name());
  CO_TRY(std::string value, encode_stored(attempt.object));
  if (call.dry_run) {
    CO_TRY(api::ObjectPtr object, api::Object::from_document(attempt.object, {}));
    co_return Written{std::move(object), true};
  }
  CO_TRY(auto note, cache().note(attempt.object));
  auto event = co_await cache().store().write(
      {attempt.store_key(), std::move(value), Revision{}, std::move(note)});
  if (!event && event.error().code() == Code::kExists) {
    co_return already_exists(attempt.group_resource(), attempt.name());
  }
  if (!event) co_return std::move(event).error();
  attempt.settle(true);
  // The commit went through the cache before this coroutine continued.
  CachedPtr cached = resource.get(item);
  if (!cached || cached->object->revision() != event->now.modified) {
    CO_TRY(cached, cache().read(event->now));
  }
  co_return Written{cached->object, true};
}

}  // namespace atl::apiserver

// UPDATE and everything that ends as one: PATCH, apply, status, parts, scale, and the server's own
// changes. One loop: read the live object, make the wished one, run the rules, write it on
// condition that the live one is still the same; where it is not, again from the start.
#include <fmt/format.h>

#include <charconv>

#include "api/apply/apply.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/attempt.h"
#include "kernel/apiserver/registry/body_checks.h"
#include "kernel/apiserver/registry/stored_object.h"

namespace atl::apiserver {
namespace {

// Each lost race means that somebody else's write got through, so that this bounds nothing but
// luck.
constexpr int kRaceTries = 100;

void copy_member(const json::Value& from, json::Value& to, std::string_view parent,
                 std::string_view field) {
  if (const json::Value* at = json::find(from, {parent, field})) {
    json::set(to, {parent, field}, *at);
  } else {
    json::erase(to, {parent, field});
  }
}

void copy_path(const json::Value& from, json::Value& to, const std::vector<std::string>& path) {
  const json::Value* source = &from;
  json::Value* target = &to;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    source = json::find(*source, {path[i]});
    target = &json::ensure(*target, {path[i]});
    if (!source) break;
  }
  const json::Value* value = source ? json::find(*source, {path.back()}) : nullptr;
  if (value) {
    json::set(*target, {path.back()}, *value);
  } else {
    json::erase(*target, {path.back()});
  }
}

// /status writes the status; of metadata only what controllers put there, and nothing for custom
// kinds.
json::Value status_only(const api::Kind& kind, const json::Value& old, const json::Value& next) {
  json::Value out = old;
  if (const json::Value* status = json::find(next, {"status"})) {
    json::set(out, {"status"}, *status);
  } else {
    json::erase(out, {"status"});
  }
  if (kind.custom) return out;
  for (const std::string_view field : {"labels", "annotations", "finalizers"}) {
    copy_member(next, out, "metadata", field);
  }
  return out;
}

// The part of `next` that a write to the call's path may change, on top of `old`.
json::Value restrict_to_path(const HookTable& hooks, const Call& call, const api::Kind& kind,
                             const json::Value& old, json::Value next) {
  json::Value out;
  if (call.subresource == "status") {
    out = status_only(kind, old, next);
  } else if (const auto* part = hooks.part(kind.gvr, call.subresource)) {
    out = old;
    copy_path(next, out, *part);
  } else {
    if (kind.has_status()) {
      if (const json::Value* status = json::find(old, {"status"})) {
        json::set(next, {"status"}, *status);
      } else {
        json::erase(next, {"status"});
      }
    }
    return next;
  }
  // Written by an apply, or those of old.
  copy_member(next, out, "metadata", "managedFields");
  return out;
}

void keep_system_fields(const json::Value& old, json::Value& next) {
  for (const std::string_view field :
       {"uid", "creationTimestamp", "deletionTimestamp", "managedFields",
        "deletionGracePeriodSeconds", "name", "namespace"}) {
    if (!json::find(next, {"metadata", field})) copy_member(old, next, "metadata", field);
  }
  copy_member(old, next, "metadata", "generation");
  copy_member(old, next, "metadata", "resourceVersion");  // of the state that the write is based on
  json::erase(next, {"metadata", "selfLink"});
}

Result<> check_preconditions(const Call& call, const api::Kind& kind, const json::Value& old,
                             const json::Value& next) {
  const std::string group_resource = call.kind->gvr.group_resource();
  const std::string_view live_revision = json::string_at(old, {"metadata", "resourceVersion"});
  const std::string_view revision = json::string_at(next, {"metadata", "resourceVersion"});
  if (revision.empty() && !kind.unconditional_update && call.subresource != "scale") {
    return api::invalid(call.kind->gvk, call.key.name,
                        {{"FieldValueInvalid", "Invalid value: 0: must be specified for an update",
                          "metadata.resourceVersion"}});
  }
  uint64_t number = 0;
  const auto parsed = std::from_chars(revision.data(), revision.data() + revision.size(), number);
  if (!revision.empty() &&
      (parsed.ec != std::errc() || parsed.ptr != revision.data() + revision.size())) {
    return Error(
        Code::kBadRequest,
        fmt::format("metadata.resourceVersion: \"{}\" is not a resource version", revision));
  }
  const std::string_view uid = json::string_at(next, {"metadata", "uid"});
  const std::string_view live_uid = json::string_at(old, {"metadata", "uid"});
  if (!uid.empty() && uid != live_uid) {
    return conflict(
        group_resource, call.key.name,
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                    live_uid));
  }
  if (number != 0 && revision != live_revision)
    return modified_meanwhile(group_resource, call.key.name);
  return Unit{};
}

void follow_generation(const api::Kind& kind, const json::Value& old, json::Value& next) {
  if (!kind.has_generation || same_content(kind, old, next)) return;
  const int64_t before = json::int_at(old, {"metadata", "generation"});
  json::set(next, {"metadata", "generation"}, json::Value(before + 1));
}

}  // namespace

Result<json::Value> Registry::document_for(const Call& call, const Cached& live) const {
  json::Value document = live.object->parse();
  parts_.versions.from_stored(*parts_.versions.stored(call.kind), *call.kind, document);
  return document;
}

Task<Written> Registry::update(Call call, Body body) {
  CO_TRY_OK(accept_object(call, body, NameInBody::kRequired));
  const bool has_revision =
      !json::string_at(body.document, {"metadata", "resourceVersion"}).empty();
  const UpdateRules rules{.may_create = call.kind->create_on_update && call.subresource.empty() &&
                                        !has_revision};
  const json::Value& wished = body.document;
  const Maker make = [&wished](const json::Value*) -> Result<json::Value> { return wished; };
  co_return co_await replace(call, make, rules);
}

Task<Written> Registry::replace(Call call, Maker make, UpdateRules rules) {
  const size_t warnings = call.warnings->size();
  for (int left = kRaceTries;; --left) {
    call.warnings->resize(warnings);
    auto live = find(call);
    if (!live) {
      if (!rules.may_create) co_return std::move(live).error();
      CO_TRY(json::Value object, make(nullptr));
      auto created = co_await create_stored(call, std::move(object), rules.ownership);
      const bool lost = !created && created.error().code() == Code::kExists;
      if (!lost || left == 0) co_return std::move(created);
      continue;
    }
    Attempt attempt(parts_, call);
    auto written = co_await replace_once(attempt, *live, make, rules);
    if (written || !attempt.lost_race || left == 0) co_return std::move(written);
  }
}

Task<Written> Registry::replace_once(Attempt& attempt, CachedPtr live, const Maker& make,
                                     UpdateRules rules) {
  const Call& call = attempt.call;
  attempt.old = live->object->parse();
  CO_TRY(const json::Value current, document_for(call, *live));
  CO_TRY(json::Value next, make(&current));
  CO_TRY_OK(check_preconditions(call, *attempt.kind, *attempt.old, next));
  parts_.versions.to_stored(*call.kind, *attempt.kind, next);
  keep_system_fields(*attempt.old, next);
  // Who owns what is nobody's to say below an object.
  if (rules.ownership == Ownership::kTrack && !call.subresource.empty()) {
    copy_member(*attempt.old, next, "metadata", "managedFields");
  }
  attempt.object =
      restrict_to_path(parts_.hooks, call, *attempt.kind, *attempt.old, std::move(next));
  if (rules.ownership == Ownership::kTrack && attempt.kind->schema) {
    api::track_update(*attempt.kind->schema, &*attempt.old, attempt.object,
                      {call.manager, call.kind->gvk.group_version().text(), call.subresource},
                      attempt.now);
  }
  AdmissionRequest admission = attempt.admission_request(Operation::kUpdate);
  CO_TRY_OK(co_await parts_.admission.mutate(admission));
  call.warnings->insert(call.warnings->end(), admission.warnings.begin(), admission.warnings.end());
  CO_TRY_OK(attempt.prepare());
  follow_generation(*attempt.kind, *attempt.old, attempt.object);
  CO_TRY_OK(attempt.check());
  AdmissionRequest final = attempt.admission_request(Operation::kUpdate);
  CO_TRY_OK(co_await parts_.admission.validate(final));
  attempt.agreed.emplace(std::move(final));
  CO_TRY_OK(attempt.reserve());
  co_return co_await store_update(attempt, std::move(live));
}

// Removing the last finalizer of an object that is being deleted removes the object.
bool Registry::should_go(const Attempt& attempt, const json::Value& before) const {
  if (!json::find(before, {"metadata", "deletionTimestamp"})) return false;
  if (!json::array_at(attempt.object, {"metadata", "finalizers"}).empty()) return false;
  if (json::int_at(before, {"metadata", "deletionGracePeriodSeconds"}) != 0) return false;
  json::Value probe = attempt.object;
  for (const auto& hook : attempt.hooks) {
    if (hook->holds_deletion(probe)) return false;
  }
  return true;
}

Task<Written> Registry::store_update(Attempt& attempt, CachedPtr live) {
  const Revision before = live->object->revision();
  CO_TRY(std::string value, encode_stored(attempt.object));
  if (attempt.call.dry_run) {
    CO_TRY(api::ObjectPtr object, api::Object::from_document(attempt.object, before));
    co_return Written{std::move(object), false};
  }
  if (!attempt.marking && should_go(attempt, *attempt.old)) {
    CO_TRY_OK(co_await erase(attempt, live, before));
    attempt.settle(true);
    CO_TRY(api::ObjectPtr object, api::Object::from_document(attempt.object, before));
    co_return Written{std::move(object), false};
  }
  CO_TRY(const std::string text, decode_stored(value, before));
  if (text == live->object->text()) co_return Written{live->object, false};  // nothing changed

  CO_TRY(auto note, cache().note(attempt.object));
  auto event = co_await cache().store().write(
      {attempt.store_key(), std::move(value), before, std::move(note)});
  if (!event) {
    const Code code = event.error().code();
    attempt.lost_race = code == Code::kConflict || code == Code::kNotFound;
    if (attempt.lost_race)
      co_return modified_meanwhile(attempt.group_resource(), attempt.call.key.name);
    co_return std::move(event).error();
  }
  attempt.settle(true);
  auto now = find(attempt.call);
  if (now && (*now)->object->revision() == event->now.modified)
    co_return Written{(*now)->object, false};
  CO_TRY(CachedPtr written, cache().read(event->now));
  co_return Written{written->object, false};
}

Task<api::ObjectPtr> Registry::modify(Call call,
                                      std::function<Result<>(json::Value& document)> change) {
  for (int left = kRaceTries;; --left) {
    CO_TRY(CachedPtr live, find(call));
    Attempt attempt(parts_, call);
    attempt.old = live->object->parse();
    attempt.object = *attempt.old;
    CO_TRY_OK(change(attempt.object));
    keep_system_fields(*attempt.old, attempt.object);
    if (attempt.kind->schema && !call.manager.empty()) {
      api::track_update(*attempt.kind->schema, &*attempt.old, attempt.object,
                        {call.manager, attempt.kind->gvk.group_version().text(), call.subresource},
                        attempt.now);
    }
    follow_generation(*attempt.kind, *attempt.old, attempt.object);
    auto written = co_await store_update(attempt, live);
    if (written) co_return written->object;
    if (!attempt.lost_race || left == 0) co_return std::move(written).error();
  }
}

}  // namespace atl::apiserver

#include "kernel/apiserver/registry/attempt.h"

#include <algorithm>

#include "base/core/seconds.h"
#include "kernel/apiserver/registry/store_keys.h"

namespace atl::apiserver {

namespace {

// What was wrong before and is the same now is no fault of this update: a schema may have become
// stricter than the objects that are stored. The findings name path and value, so equal ones are
// unchanged.
void drop_unchanged(const api::Findings& before, api::Findings& findings) {
  std::erase_if(findings, [&](const Cause& finding) {
    return std::find(before.begin(), before.end(), finding) != before.end();
  });
}

}  // namespace

AdmissionRequest Registry::Attempt::admission_request(Operation operation) {
  AdmissionRequest request{.operation = operation,
                           .kind = call.kind,
                           .subresource = call.subresource,
                           .user = call.user,
                           .ns = call.key.ns,
                           .name = call.key.name,
                           .dry_run = call.dry_run};
  if (operation == Operation::kCreate || operation == Operation::kUpdate) {
    request.object = &object;
    if (request.name.empty()) request.name = name();
  }
  if (old) request.old_object = &*old;
  return request;
}

WriteContext Registry::Attempt::context() {
  return {.kind = *kind,
          .subresource = call.subresource,
          .key = {call.key.ns, name()},
          .user = call.user,
          .dry_run = call.dry_run,
          .now = now,
          .object = &object,
          .old = old ? &*old : nullptr};
}

Result<> Registry::Attempt::prepare() {
  WriteContext write = context();
  for (const auto& hook : hooks) TRY_OK(hook->prepare(write));
  return Unit{};
}

Result<> Registry::Attempt::check() {
  api::Findings findings;
  if (kind->schema) findings = api::check_schema(*kind->schema, object);
  if (old && kind->custom && !findings.empty())
    drop_unchanged(api::check_schema(*kind->schema, *old), findings);
  const auto add = [&](api::Findings more) {
    findings.insert(findings.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  };
  add(api::check_metadata(*kind, object));
  if (old) add(api::check_metadata_update(*old, object));
  const WriteContext write = context();
  for (const auto& hook : hooks) add(hook->validate(write));
  if (findings.empty()) return Unit{};
  return api::invalid(call.kind->gvk, name(), std::move(findings));
}

Result<> Registry::Attempt::reserve() {
  WriteContext write = context();
  for (const auto& hook : hooks) {
    TRY_OK(hook->reserve(write));
    ++reserved;
  }
  return Unit{};
}

void Registry::Attempt::settle(bool stored) {
  const WriteContext write = context();
  for (size_t i = 0; i < reserved; ++i) hooks[i]->settle(write, stored);
  reserved = 0;
  if (agreed) parts.admission.finished(*agreed, stored);
  agreed.reset();
}

std::string Registry::Attempt::store_key() const {
  return resource_prefix(kind->gvr.group, kind->gvr.resource) +
         item_key({kind->namespaced ? call.key.ns : "", name()});
}

void mark_deleting(json::Value& object, WallTime now, int64_t grace) {
  json::Value& metadata = json::ensure(object, {"metadata"});
  json::Object& fields = metadata.get_object();
  const bool first = !fields.contains("deletionTimestamp");
  const int64_t generation = json::int_at(metadata, {"generation"});
  if (first && generation > 0) fields["generation"] = generation + 1;
  fields["deletionTimestamp"] = rfc3339(now + seconds_of(grace));
  fields["deletionGracePeriodSeconds"] = grace;
}

bool same_content(const api::Kind& kind, const json::Value& a, const json::Value& b) {
  const auto counts = [&](std::string_view key) {
    if (key == "metadata" || key == "apiVersion" || key == "kind") return false;
    return key != "status" || !kind.has_status();
  };
  const auto covered = [&](const json::Object& from, const json::Object& in) {
    for (const auto& [key, value] : from) {
      if (!counts(key)) continue;
      const json::Value* other = in.if_contains(key);
      if (!other || !json::equal(value, *other)) return false;
    }
    return true;
  };
  return covered(a.as_object(), b.as_object()) && covered(b.as_object(), a.as_object());
}

}  // namespace atl::apiserver

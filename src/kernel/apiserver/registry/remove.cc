// DELETE. An object goes at once, unless finalizers hold it, its kind grants a grace period (pods),
// or its kind has contents to clear first (namespaces): then it is marked, and goes when the last
// of these is over.
#include <fmt/format.h>

#include <algorithm>

#include "api/validate/validate.h"
#include "base/core/seconds.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/registry/attempt.h"
#include "kernel/apiserver/registry/stored_object.h"

namespace atl::apiserver {
namespace {

constexpr int kRaceTries = 100;
constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";

Result<> check_query(const DeleteQuery& query) {
  const api::Gvk options{"meta.k8s.io", "v1", "DeleteOptions"};
  api::Findings wrong;
  const auto add = [&](std::string_view reason, std::string message) {
    wrong.push_back({std::string(reason), std::move(message), "propagationPolicy"});
  };
  if (query.orphan_dependents && !query.propagation.empty()) {
    add("FieldValueInvalid",
        fmt::format(
            "Invalid value: \"{}\": orphanDependents and deletionPropagation cannot be both "
            "set",
            query.propagation));
  }
  static constexpr std::string_view kPolicies[] = {"", "Background", "Foreground", "Orphan"};
  if (std::ranges::find(kPolicies, query.propagation) == std::end(kPolicies)) {
    add("FieldValueNotSupported",
        fmt::format("Unsupported value: \"{}\": supported values: \"Foreground\", \"Background\", "
                    "\"Orphan\", \"nil\"",
                    query.propagation));
  }
  if (wrong.empty()) return Unit{};
  return api::invalid(options, "", std::move(wrong));
}

Result<> check_preconditions(const Call& call, const api::Object& live, const DeleteQuery& query) {
  const std::string group_resource = call.kind->gvr.group_resource();
  if (!query.uid.empty() && query.uid != live.uid()) {
    return conflict(
        group_resource, call.key.name,
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}",
                    query.uid, live.uid()));
  }
  const std::string revision = std::to_string(live.revision().value);
  if (!query.resource_version.empty() && query.resource_version != revision) {
    return conflict(
        group_resource, call.key.name,
        fmt::format(
            "Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object "
            "meta: {}",
            query.resource_version, revision));
  }
  return Unit{};
}

// The finalizers of the garbage collector follow the wish of the caller; without one they stay.
void follow_propagation(json::Value& object, const DeleteQuery& query) {
  std::string_view wish = query.propagation;
  if (query.orphan_dependents) wish = *query.orphan_dependents ? "Orphan" : "Background";
  if (wish.empty()) return;
  json::Array finalizers;
  for (const json::Value& item : json::array_at(object, {"metadata", "finalizers"})) {
    if (item == json::Value(kOrphan) || item == json::Value(kForeground)) continue;
    finalizers.push_back(item);
  }
  if (wish == "Orphan") finalizers.emplace_back(kOrphan);
  if (wish == "Foreground") finalizers.emplace_back(kForeground);
  if (finalizers.empty()) {
    json::erase(object, {"metadata", "finalizers"});
  } else {
    json::set(object, {"metadata", "finalizers"}, std::move(finalizers));
  }
}

// A deletion that is under way: only a shorter grace period changes anything. True: it does.
bool shorten_grace(json::Value& object, const json::Value& old, std::optional<int64_t> grace) {
  const int64_t before = json::int_at(old, {"metadata", "deletionGracePeriodSeconds"});
  if (!grace || *grace >= before) return false;
  const auto until = parse_rfc3339(json::string_at(old, {"metadata", "deletionTimestamp"}));
  if (!until) return false;
  json::set(object, {"metadata", "deletionTimestamp"},
            json::Value(rfc3339(*until - seconds_of(before) + seconds_of(*grace))));
  json::set(object, {"metadata", "deletionGracePeriodSeconds"}, json::Value(*grace));
  return true;
}

}  // namespace

Task<Removed> Registry::remove(Call call, DeleteQuery query) {
  CO_TRY_OK(check_query(query));
  for (int left = kRaceTries;; --left) {
    CO_TRY(const CachedPtr live, find(call));
    CO_TRY_OK(check_preconditions(call, *live->object, query));
    Attempt attempt(parts_, call);
    auto removed = co_await remove_once(attempt, live, query);
    if (removed || !attempt.lost_race || left == 0) co_return std::move(removed);
  }
}

Task<Removed> Registry::remove_once(Attempt& attempt, const CachedPtr& live,
                                    const DeleteQuery& query) {
  attempt.old = live->object->parse();
  AdmissionRequest admission = attempt.admission_request(Operation::kDelete);
  CO_TRY_OK(co_await parts_.admission.mutate(admission));
  CO_TRY_OK(co_await parts_.admission.validate(admission));
  attempt.agreed.emplace(std::move(admission));
  for (const auto& hook : attempt.hooks) CO_TRY_OK(hook->check_delete(*attempt.old));

  attempt.object = *attempt.old;
  json::erase(attempt.object, {"metadata", "resourceVersion"});
  std::optional<int64_t> grace;
  for (const auto& hook : attempt.hooks) {
    if (const auto own = hook->grace_seconds(*attempt.old, query.grace_seconds)) grace = own;
  }
  const bool deleting = live->object->header().deleting;
  const bool graceful =
      grace && json::int_at(*attempt.old, {"metadata", "deletionGracePeriodSeconds"}) > 0;
  if (deleting && graceful) {
    if (!shorten_grace(attempt.object, *attempt.old, query.grace_seconds ? grace : std::nullopt)) {
      co_return Removed{live->object, false};
    }
  } else if (!deleting) {
    follow_propagation(attempt.object, query);
  }
  bool held = !json::array_at(attempt.object, {"metadata", "finalizers"}).empty();
  for (const auto& hook : attempt.hooks) held = hook->holds_deletion(attempt.object) || held;
  const int64_t seconds = grace.value_or(0);
  if (!held && seconds == 0) {
    if (attempt.call.dry_run) co_return Removed{live->object, true};
    CO_TRY_OK(co_await erase(attempt, live, live->object->revision()));
    attempt.settle(true);
    co_return Removed{live->object, true};
  }
  if (!deleting) mark_deleting(attempt.object, attempt.now, seconds);
  attempt.marking = true;
  CO_TRY(const Written written, co_await store_update(attempt, live));
  co_return Removed{written.object, false};
}

Task<> Registry::erase(Attempt& attempt, const CachedPtr& live, Revision expected) {
  auto event = co_await cache().store().write({attempt.store_key(), std::nullopt, expected});
  if (!event) {
    const Code code = event.error().code();
    attempt.lost_race = code == Code::kConflict || code == Code::kNotFound;
    if (attempt.lost_race)
      co_return modified_meanwhile(attempt.group_resource(), attempt.call.key.name);
    co_return std::move(event).error();
  }
  for (const auto& hook : attempt.hooks) hook->removed(*live->object);
  co_return Unit{};
}

Task<std::vector<api::ObjectPtr>> Registry::remove_collection(Call call, ListQuery list,
                                                              DeleteQuery query) {
  CO_TRY_OK(check_query(query));
  CO_TRY(const ListPage page, co_await this->list(call, list));
  std::vector<api::ObjectPtr> out;
  for (const CachedPtr& item : page.items) {
    Call one = call;
    one.key = item->object->key();
    auto removed = co_await remove(std::move(one), query);
    if (removed) {
      out.push_back(removed->object);
    } else if (removed.error().code() != Code::kNotFound) {
      co_return std::move(removed).error();
    }
  }
  co_return out;
}

}  // namespace atl::apiserver

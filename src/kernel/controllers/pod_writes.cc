#include "kernel/controllers/pod_writes.h"

#include <algorithm>

#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

// Longest prefix of a generated name, so that five more letters fit a label value.
constexpr size_t kPrefixMax = 58;

bool reply_lost(const Error& error) {
  return error.code() == Code::kTimeout || error.code() == Code::kUnavailable ||
         error.code() == Code::kCancelled;
}

}  // namespace

bool namespace_terminates(const Error& error) {
  return std::any_of(error.causes().begin(), error.causes().end(),
                     [](const Cause& cause) { return cause.reason == "NamespaceTerminating"; });
}

std::string pod_prefix(const std::string& owner) {
  return (owner + "-").substr(0, kPrefixMax);
}

Task<> PodWrites::resolve_lost_replies(api::ObjectPtr owner) {
  for (const std::string& name : notes_.unsure(owner->key())) {
    api::ListOptions only;
    only.ns = owner->ns();
    only.field_selector = "metadata.name=" + name;
    CO_TRY(const api::ObjectList found, co_await deps_.client.list(kPods, only));
    if (found.items.empty()) {
      notes_.create_missing(owner->key(), name);
    } else if (controller_uid(*found.items.front()) == owner->uid()) {
      notes_.created(owner->key(), *found.items.front());
    } else {
      notes_.create_refused(owner->key(), name);
    }
  }
  co_return Unit{};
}

Task<> PodWrites::create(api::ObjectPtr owner, std::shared_ptr<const json::Value> document,
                         std::string prefix) {
  json::Value pod = *document;
  std::string name = notes_.take_reusable(owner->key(), prefix);
  if (name.empty()) name = prefix + deps_.seams.rng->name_suffix(5);
  json::set(pod, {"metadata", "name"}, json::Value(name));
  json::set(pod, {"metadata", "generateName"}, json::Value(prefix));
  notes_.create_unsure(owner->key(), name);  // counts while the request is under way
  const Result<api::ObjectPtr> made =
      co_await deps_.client.create(kPods, owner->ns(), std::move(pod));
  if (made) {
    notes_.created(owner->key(), **made);
    deps_.events.note(*owner, api::EventLevel::kNormal, "SuccessfulCreate", "Created pod: " + name);
    co_return Unit{};
  }
  if (reply_lost(made.error()) || made.error().code() == Code::kExists) co_return made.error();
  notes_.create_missing(owner->key(), name);
  if (namespace_terminates(made.error())) co_return Unit{};
  deps_.events.note(*owner, api::EventLevel::kWarning, "FailedCreate",
                    "Error creating: " + made.error().message());
  co_return made.error();
}

Task<> PodWrites::remove(api::ObjectPtr owner, std::string name, std::string uid) {
  api::DeleteOptions options;
  options.uid = uid;
  const Result<> removed = co_await deps_.client.remove(kPods, {owner->ns(), name}, options);
  if (removed) {
    notes_.removed(owner->key(), uid);
    deps_.events.note(*owner, api::EventLevel::kNormal, "SuccessfulDelete", "Deleted pod: " + name);
    co_return Unit{};
  }
  if (removed.error().code() == Code::kNotFound) co_return Unit{};
  if (removed.error().code() == Code::kConflict)
    co_return Unit{};  // another pod has the name by now
  deps_.events.note(*owner, api::EventLevel::kWarning, "FailedDelete",
                    "Error deleting: " + removed.error().message());
  co_return removed.error();
}

}  // namespace atl::controllers

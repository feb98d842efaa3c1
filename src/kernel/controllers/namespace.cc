#include "kernel/controllers/namespace.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/cache/backoff.h"
#include "api/controller/conditions.h"
#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kFinalizer = "kubernetes";
constexpr api::Backoff::Options kResweep{
    .first = std::chrono::milliseconds(200), .most = std::chrono::seconds(15), .jitter = 0.2};

std::string join(const std::map<std::string, int64_t>& counts, std::string_view format) {
  std::vector<std::string> parts;
  for (const auto& [what, count] : counts)
    parts.push_back(fmt::format(fmt::runtime(format), what, count));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void count_finalizers(const api::Object& object, NamespaceRemains& remains) {
  const json::Value document = object.parse();
  for (const json::Value& finalizer : json::array_at(document, {"metadata", "finalizers"})) {
    if (finalizer.is_string()) ++remains.by_finalizer[std::string(finalizer.get_string())];
  }
}

}  // namespace

bool set_namespace_conditions(json::Array& conditions, const NamespaceRemains& remains,
                              WallTime now) {
  bool changed = false;
  const auto say = [&](const char* type, bool bad, const char* bad_reason, std::string bad_text,
                       const char* good_reason, const char* good_text) {
    const api::Condition condition =
        bad ? api::Condition{type, "True", bad_reason, std::move(bad_text)}
            : api::Condition{type, "False", good_reason, good_text};
    changed = api::set_condition(conditions, condition, now) || changed;
  };
  say("NamespaceDeletionDiscoveryFailure", false, "", "", "ResourcesDiscovered",
      "All resources successfully discovered");
  say("NamespaceDeletionGroupVersionParsingFailure", false, "", "", "ParsedGroupVersions",
      "All legacy kube types successfully parsed");
  say("NamespaceDeletionContentFailure", !remains.errors.empty(), "ContentDeletionFailed",
      fmt::format("Failed to delete all resource types, {} remaining: {}", remains.errors.size(),
                  fmt::join(remains.errors, ", ")),
      "ContentDeleted", "All content successfully deleted, may be waiting on finalization");
  say("NamespaceContentRemaining", !remains.by_resource.empty(), "SomeResourcesRemain",
      "Some resources are remaining: " + join(remains.by_resource, "{} has {} resource instances"),
      "ContentRemoved", "All content successfully removed");
  say("NamespaceFinalizersRemaining", !remains.by_finalizer.empty(), "SomeFinalizersRemain",
      "Some content in the namespace has finalizers remaining: " +
          join(remains.by_finalizer, "{} in {} resource instances"),
      "ContentHasNoFinalizers", "All content-preserving finalizers finished");
  return changed;
}

NamespaceController::NamespaceController(Deps deps, const KindSource& kinds)
    : deps_(deps),
      kinds_(kinds),
      namespaces_(deps.informers.get(kNamespaces)),
      pods_(deps.informers.get(kPods)) {}

std::vector<api::Informer*> NamespaceController::inputs() {
  return {&namespaces_, &pods_};
}

void NamespaceController::watch(api::WorkQueue& queue) {
  namespaces_.add_handler(
      [&queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now && now->header().deleting) queue.add(key);
      });
  pods_.add_handler(
      [this, &queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now) return;
        const api::ObjectPtr space = namespaces_.get({"", key.ns});
        if (space && space->header().deleting) queue.add(space->key());
      });
}

Task<api::Outcome> NamespaceController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr space = namespaces_.get(key);
  if (!space || !space->header().deleting) {
    sweeps_.erase(key.name);
    co_return api::Outcome::done();
  }
  const json::Value document = space->parse();
  const json::Array& finalizers = json::array_at(document, {"spec", "finalizers"});
  const bool ours = std::any_of(finalizers.begin(), finalizers.end(), [](const json::Value& f) {
    return f.is_string() && f.get_string() == kFinalizer;
  });
  if (!ours) co_return api::Outcome::done();

  CO_TRY(NamespaceRemains remains, co_await sweep(key.name));
  if (remains.empty()) {
    CO_TRY_OK(co_await finalize(space));
    sweeps_.erase(key.name);
    co_return api::Outcome::done();
  }
  CO_TRY_OK(co_await write_conditions(space, std::move(remains)));
  co_return api::Outcome::again_after(
      api::Backoff::after(kResweep, ++sweeps_[key.name], *deps_.seams.rng));
}

Task<NamespaceRemains> NamespaceController::sweep(std::string ns) {
  NamespaceRemains remains;
  const std::vector<Collection> all = kinds_.collections();
  // Pods first: what they use (secrets, accounts, network policies) stays until they have ended.
  for (const Collection& what : all) {
    if (what.gvr == kPods) co_await sweep_one(what, ns, &remains);
  }
  if (!remains.empty()) co_return remains;
  for (const Collection& what : all) {
    if (what.namespaced && what.gvr != kPods && what.can("list") && what.can("delete")) {
      co_await sweep_one(what, ns, &remains);
    }
  }
  co_return remains;
}

Async<void> NamespaceController::sweep_one(Collection what, std::string ns,
                                           NamespaceRemains* remains) {
  api::ListOptions options;
  options.ns = ns;
  const Result<api::ObjectList> before = co_await deps_.client.list(what.gvr, options);
  if (!before) {
    // A kind that went away since discovery holds nothing.
    if (before.error().code() != Code::kNotFound)
      remains->errors.push_back(before.error().message());
    co_return;
  }
  if (before->items.empty()) co_return;
  for (const api::ObjectPtr& object : before->items) {
    if (object->header().deleting) continue;
    api::DeleteOptions background;
    background.propagation = "Background";
    const Result<> removed = co_await deps_.client.remove(what.gvr, object->key(), background);
    const bool fine = removed || removed.error().code() == Code::kNotFound ||
                      removed.error().code() == Code::kConflict;
    if (!fine) remains->errors.push_back(removed.error().message());
  }
  const Result<api::ObjectList> after = co_await deps_.client.list(what.gvr, options);
  if (!after) {
    remains->errors.push_back(after.error().message());
    co_return;
  }
  if (after->items.empty()) co_return;
  remains->by_resource[what.gvr.group_resource()] += int64_t(after->items.size());
  for (const api::ObjectPtr& object : after->items) count_finalizers(*object, *remains);
}

Task<> NamespaceController::finalize(api::ObjectPtr space) {
  // The newest version: conditions may have been written since.
  const Result<api::ObjectPtr> fresh = co_await deps_.client.get(kNamespaces, space->key());
  if (!fresh && fresh.error().code() == Code::kNotFound) co_return Unit{};
  if (!fresh) co_return fresh.error();
  json::Value document = (*fresh)->parse();
  json::Array left;
  for (const json::Value& finalizer : json::array_at(document, {"spec", "finalizers"})) {
    if (!finalizer.is_string() || finalizer.get_string() != kFinalizer) left.push_back(finalizer);
  }
  json::set(document, {"spec", "finalizers"}, std::move(left));
  api::WriteOptions options;
  options.subresource = "finalize";
  const Result<api::ObjectPtr> written =
      co_await deps_.client.update(kNamespaces, space->key(), std::move(document), options);
  if (!written && written.error().code() != Code::kNotFound) co_return written.error();
  co_return Unit{};
}

Task<> NamespaceController::write_conditions(api::ObjectPtr space, NamespaceRemains remains) {
  json::Value document = space->parse();
  json::Array conditions = json::array_at(document, {"status", "conditions"});
  if (!set_namespace_conditions(conditions, remains, deps_.now())) co_return Unit{};
  json::set(document, {"status", "conditions"}, std::move(conditions));
  api::WriteOptions options;
  options.subresource = "status";
  const Result<api::ObjectPtr> written =
      co_await deps_.client.update(kNamespaces, space->key(), std::move(document), options);
  if (!written && written.error().code() != Code::kNotFound) co_return written.error();
  co_return Unit{};
}

}  // namespace atl::controllers

#include "kernel/controllers/storage_protection.h"

#include <algorithm>

#include "kernel/controllers/resources.h"

namespace atl::controllers {
namespace {

constexpr std::string_view kClaimFinalizer = "kubernetes.io/pvc-protection";
constexpr std::string_view kVolumeFinalizer = "kubernetes.io/pv-protection";

bool waits_for(const api::Object& object, std::string_view finalizer) {
  if (!object.header().deleting) return false;
  const json::Value document = object.parse();
  return std::ranges::any_of(
      json::array_at(document, {"metadata", "finalizers"}),
      [&](const json::Value& value) { return value == json::Value(finalizer); });
}

// By update: the resourceVersion that was read guards against what happened meanwhile.
Task<> release(api::Client& client, api::Gvr resource, api::ObjectPtr object,
               std::string finalizer) {
  json::Value document = object->parse();
  json::Array kept;
  for (const json::Value& value : json::array_at(document, {"metadata", "finalizers"})) {
    if (value != json::Value(finalizer)) kept.push_back(value);
  }
  json::set(document, {"metadata", "finalizers"}, std::move(kept));
  const Result<api::ObjectPtr> written =
      co_await client.update(resource, object->key(), std::move(document));
  if (!written && written.error().code() != Code::kNotFound) co_return written.error();
  co_return Unit{};
}

std::string index_key(std::string_view ns, std::string_view claim) {
  return std::string(ns) + "/" + std::string(claim);
}

}  // namespace

std::vector<std::string> claims_of(const json::Value& pod) {
  std::vector<std::string> out;
  if (json::string_at(pod, {"spec", "nodeName"}).empty()) return out;
  for (const json::Value& volume : json::array_at(pod, {"spec", "volumes"})) {
    const std::string_view claim = json::string_at(volume, {"persistentVolumeClaim", "claimName"});
    if (!claim.empty()) out.emplace_back(claim);
    if (json::find(volume, {"ephemeral"})) {
      out.push_back(std::string(json::string_at(pod, {"metadata", "name"})) + "-" +
                    std::string(json::string_at(volume, {"name"})));
    }
  }
  return out;
}

ClaimProtectionController::ClaimProtectionController(Deps deps)
    : deps_(deps),
      claims_(deps.informers.get(kPersistentVolumeClaims)),
      pods_(deps.informers.get(kPods)),
      by_claim_(
          pods_.add_index("claim", [](const api::Object& pod, std::vector<std::string>& values) {
            for (const std::string& claim : claims_of(pod.parse()))
              values.push_back(index_key(pod.ns(), claim));
          })) {}

std::vector<api::Informer*> ClaimProtectionController::inputs() {
  return {&claims_, &pods_};
}

void ClaimProtectionController::watch(api::WorkQueue& queue) {
  claims_.add_handler(
      [&queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now && now->header().deleting) queue.add(key);
      });
  pods_.add_handler(
      [&queue](const api::ObjectKey& key, const api::ObjectPtr& before, const api::ObjectPtr& now) {
        if (now || !before) return;  // a pod holds its claims until it is gone
        for (const std::string& claim : claims_of(before->parse())) queue.add({key.ns, claim});
      });
}

// The cache may be late: the API is asked before anything is let go.
Task<bool> ClaimProtectionController::held(api::ObjectKey claim) {
  if (!pods_.by_index(by_claim_, index_key(claim.ns, claim.name)).empty()) co_return true;
  api::ListOptions options;
  options.ns = claim.ns;
  CO_TRY(const api::ObjectList pods, co_await deps_.client.list(kPods, options));
  co_return std::ranges::any_of(pods.items, [&](const api::ObjectPtr& pod) {
    return std::ranges::count(claims_of(pod->parse()), claim.name) > 0;
  });
}

Task<api::Outcome> ClaimProtectionController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr claim = claims_.get(key);
  if (!claim || !waits_for(*claim, kClaimFinalizer)) co_return api::Outcome::done();
  CO_TRY(const bool in_use, co_await held(key));
  if (in_use) co_return api::Outcome::done();
  CO_TRY_OK(
      co_await release(deps_.client, kPersistentVolumeClaims, claim, std::string(kClaimFinalizer)));
  co_return api::Outcome::done();
}

VolumeProtectionController::VolumeProtectionController(Deps deps)
    : deps_(deps), volumes_(deps.informers.get(kPersistentVolumes)) {}

std::vector<api::Informer*> VolumeProtectionController::inputs() {
  return {&volumes_};
}

void VolumeProtectionController::watch(api::WorkQueue& queue) {
  volumes_.add_handler(
      [&queue](const api::ObjectKey& key, const api::ObjectPtr&, const api::ObjectPtr& now) {
        if (now && now->header().deleting) queue.add(key);
      });
}

Task<api::Outcome> VolumeProtectionController::reconcile(api::ObjectKey key) {
  const api::ObjectPtr volume = volumes_.get(key);
  if (!volume || !waits_for(*volume, kVolumeFinalizer)) co_return api::Outcome::done();
  if (json::string_at(volume->parse(), {"status", "phase"}) == "Bound")
    co_return api::Outcome::done();
  CO_TRY_OK(
      co_await release(deps_.client, kPersistentVolumes, volume, std::string(kVolumeFinalizer)));
  co_return api::Outcome::done();
}

}  // namespace atl::controllers

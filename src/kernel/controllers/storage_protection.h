#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"

namespace atl::controllers {

// The claims that a pod holds: of its volumes, ephemeral ones included. None while it has no node:
// nothing is mounted then. Pure.
std::vector<std::string> claims_of(const json::Value& pod);

// Lets a PersistentVolumeClaim that is being deleted go once no pod holds it: admission gave it the
// finalizer kubernetes.io/pvc-protection. Watches PersistentVolumeClaim, Pod (by claim). Writes
// PersistentVolumeClaim (metadata.finalizers).
class ClaimProtectionController final : public api::Reconciler {
 public:
  explicit ClaimProtectionController(Deps deps);
  std::string_view name() const override { return "pvc-protection-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Task<bool> held(api::ObjectKey claim);

  Deps deps_;
  api::Informer& claims_;
  api::Informer& pods_;
  api::Informer::Index by_claim_;
};

// The same for a PersistentVolume, which goes once it is bound no longer
// (kubernetes.io/pv-protection). Watches and writes PersistentVolume.
class VolumeProtectionController final : public api::Reconciler {
 public:
  explicit VolumeProtectionController(Deps deps);
  std::string_view name() const override { return "pv-protection-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Deps deps_;
  api::Informer& volumes_;
};

}  // namespace atl::controllers

#pragma once

#include "api/controller/reconciler.h"
#include "kernel/controllers/deps.h"

namespace atl::controllers {

// Gives each namespace its ServiceAccount "default".
// Watches Namespace, ServiceAccount. Writes ServiceAccount (create).
class ServiceAccountController final : public api::Reconciler {
 public:
  explicit ServiceAccountController(Deps deps);
  std::string_view name() const override { return "service-account-controller"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Deps deps_;
  api::Informer& namespaces_;
  api::Informer& accounts_;
};

// Publishes the CA of the API server in each namespace as ConfigMap kube-root-ca.crt, and puts it
// right when somebody changes it. Watches Namespace, ConfigMap. Writes ConfigMap (create, update).
class RootCaPublisher final : public api::Reconciler {
 public:
  RootCaPublisher(Deps deps, std::string ca_pem);
  std::string_view name() const override { return "root-ca-cert-publisher"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

 private:
  Deps deps_;
  std::string ca_pem_;
  api::Informer& namespaces_;
  api::Informer& maps_;
};

}  // namespace atl::controllers

#pragma once

#include <map>
#include <set>
#include <string>

#include "api/cache/informer_set.h"
#include "api/controller/event_recorder.h"
#include "api/controller/reconciler.h"
#include "base/async/blocking_pool.h"
#include "gateway/data_plane.h"

namespace atl::gateway {

// Keeps HAProxy's maps and certificates equal to what the Ingresses of our class ask for, and says
// in each Ingress's status where it answers. Watches Ingress, IngressClass, Service, EndpointSlice
// (of headless Services), Secret. Writes Ingress.status, Events (what cannot be served, and why),
// and the IngressClass `atoll` once. One key stands for everything: a change costs one plan,
// whatever number of changes gathered.
class IngressController final : public api::Reconciler {
 public:
  static constexpr std::string_view kControllerName = "atoll.dev/gateway";
  static constexpr std::string_view kClassName = "atoll";

  IngressController(api::Client& client, api::InformerSet& informers, api::Seams seams,
                    api::EventRecorder& events, BlockingPool& pool, Options options);

  // Blocking work done once, before the loop: HAProxy's files. `default_certificate_pem`:
  // certificate chain and key for hosts without a Secret.
  Task<> prepare(std::string default_certificate_pem);
  // Taken up by the next reconciliation, which comes within kLookAgain.
  void renew_default_certificate(std::string pem) { renewed_certificate_ = std::move(pem); }

  std::string_view name() const override { return "ingress"; }
  std::vector<api::Informer*> inputs() override;
  void watch(api::WorkQueue& queue) override;
  Task<api::Outcome> reconcile(api::ObjectKey key) override;

  // HAProxy runs and has everything. For health.
  bool live() const { return live_; }

 private:
  World world();
  const GatewayService* service(const api::ObjectKey& key);
  bool ours(const IngressInfo& ingress) const;
  Task<> give_renewed_certificate();
  Task<> ensure_class();
  Task<> write_status(const IngressInfo& ingress);
  void tell(const Plan& plan, const DataPlane::Applied& applied);

  api::Client& client_;
  api::Seams seams_;
  api::EventRecorder& events_;
  BlockingPool& pool_;
  Options options_;
  DataPlane data_plane_;
  api::Informer& ingresses_;
  api::Informer& classes_;
  api::Informer& services_;
  api::Informer& slices_;
  api::Informer& secrets_;
  api::Informer::Index slices_by_service_;
  std::map<api::ObjectKey, IngressInfo> parsed_;  // of all Ingresses
  // Of Services that Ingresses name, read again only when the Service or a slice changed.
  struct CachedService {
    std::vector<Revision> read;
    GatewayService service;
  };
  std::map<api::ObjectKey, CachedService> cached_;
  std::map<api::ObjectKey, std::vector<Problem>> told_;
  std::string renewed_certificate_;  // not given to HAProxy yet
  bool class_ensured_ = false;
  bool live_ = false;
  Duration until_haproxy_ = std::chrono::milliseconds(200);  // grows while it does not run
};

}  // namespace atl::gateway

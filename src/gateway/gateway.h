#pragma once

#include <memory>
#include <string>

#include "api/controller/controller_loop.h"
#include "gateway/ingress_controller.h"

namespace atl::gateway {

// The gateway's driver, wired: what atoll-server's main() holds. HAProxy itself is a process of its
// own, which atoll-supervise (or systemd) starts as soon as its configuration file exists, as an
// unprivileged user with CAP_NET_BIND_SERVICE, and restarts. One executor; blocking work on the
// pool.
class Gateway {
 public:
  // The informers are shared with others, started and stopped by their owner. `client` reads and
  // writes Ingresses, creates IngressClasses and Events, and reads Services, EndpointSlices and
  // Secrets.
  Gateway(api::Client& client, api::InformerSet& informers, api::Seams seams, BlockingPool& pool,
          Options options);

  // `default_certificate_pem`: chain and key, PEM, one after the other, for hosts without a Secret.
  Task<> start(std::string default_certificate_pem);
  Async<void> stop();
  // A new one, before the old one ends; HAProxy shows it within seconds, connections stay.
  void renew_default_certificate(std::string pem) {
    ingress_.renew_default_certificate(std::move(pem));
  }

  // "ingress: …" and whether HAProxy is there: one line for people.
  std::string health() const;

 private:
  api::EventRecorder events_;
  IngressController ingress_;
  api::ControllerLoop loop_;
};

}  // namespace atl::gateway

#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/client/client.h"
#include "base/async/task.h"
#include "base/async/task_group.h"
#include "base/async/timer.h"
#include "base/core/rng.h"
#include "base/net/http.h"
#include "kernel/apiserver/contract/admission.h"
#include "kernel/apiserver/contract/authenticator.h"
#include "kernel/apiserver/contract/authorizer.h"
#include "kernel/apiserver/contract/hooks.h"
#include "kernel/apiserver/pipeline/audit_trail.h"
#include "kernel/apiserver/pipeline/documents.h"
#include "kernel/apiserver/pipeline/fairness.h"
#include "kernel/apiserver/pipeline/health.h"
#include "kernel/apiserver/pipeline/metrics.h"
#include "kernel/apiserver/pipeline/resource_handler.h"
#include "kernel/apiserver/registry/registry.h"

namespace atl::apiserver {

class CustomKinds;

// The Kubernetes API over a store: one generic engine over kinds as data. Owned by main(), which
// also owns everything in Options; those outlive the server. One executor.
class ApiServer {
 public:
  struct Options {
    Executor executor;
    WatchCache& cache;
    api::KindSet& kinds;  // custom kinds come and go in it
    Timer& timer;
    Rng& rng;
    Authenticator& authenticator;
    Authorizer& authorizer;
    const AdmissionChain& admission;
    HookTable& hooks;  // filled; the server adds those of its own kinds
    const Versions& versions;
    Fairness::Limits limits = {};
    Duration compact_every = std::chrono::minutes(5);
    AuditTrail* trail = nullptr;  // null: none is kept
  };
  static std::unique_ptr<ApiServer> make(Options options);
  ~ApiServer();

  // Installs the custom kinds that are stored, and starts the background work. Call before serving.
  Task<> start();
  Async<void> stop();

  // Serves requests from listeners. Valid as long as the server.
  net::Handler handler();
  // The API for a component in this process: the same pipeline from authorization on, without
  // bytes. `manager` is the field manager of writes that name none.
  std::unique_ptr<api::Client> client_as(UserInfo user, std::string manager);

  Registry& registry() { return registry_; }
  Health& health() { return health_; }
  Authorizer& authorizer() { return options_.authorizer; }

 private:
  explicit ApiServer(Options options);
  Async<void> serve(std::unique_ptr<Exchange> owned, net::Responder& responder);
  Task<> run(Exchange& exchange);
  Task<> dispatch(Exchange& exchange);
  Task<> dispatch_within(Exchange& exchange, Duration limit);
  Async<bool> time_is_up(const Exchange& exchange, Duration limit);
  Task<> receive_write(Exchange& exchange);
  Result<> take_place(Exchange& exchange);
  Task<> authenticate(Exchange& exchange);
  Task<> authorize(const Exchange& exchange);
  Task<> revalidate(Exchange& exchange);
  Task<> authorize_upgrade(const Exchange& exchange, const api::Kind& kind);
  Task<> serve_path(Exchange& exchange);
  Async<void> tick();
  Async<void> compact();

  Options options_;
  Registry registry_;
  ResourceHandler resources_;
  Documents documents_;
  Fairness fairness_;
  Health health_;
  Metrics metrics_;
  std::unique_ptr<CustomKinds> custom_;
  TaskGroup tasks_;
};

}  // namespace atl::apiserver

#include "kernel/controllers/manager.h"

#include <algorithm>

#include "kernel/controllers/daemon_set.h"
#include "kernel/controllers/deployment.h"
#include "kernel/controllers/disruption.h"
#include "kernel/controllers/endpoint_slice.h"
#include "kernel/controllers/endpoints.h"
#include "kernel/controllers/garbage_collector.h"
#include "kernel/controllers/job.h"
#include "kernel/controllers/job_cleanup.h"
#include "kernel/controllers/namespace.h"
#include "kernel/controllers/node_health.h"
#include "kernel/controllers/replica_set.h"
#include "kernel/controllers/service_account.h"
#include "kernel/controllers/stateful_set.h"
#include "kernel/controllers/storage_protection.h"
#include "kernel/controllers/taint_eviction.h"

namespace atl::controllers {

Manager::Manager(ClientFactory clients, api::InformerSet& informers, api::Seams seams,
                 const KindSource& kinds, Options options)
    : clients_(std::move(clients)),
      informers_(informers),
      seams_(seams),
      only_(std::move(options.only)) {
  add_workloads();
  add_cluster(kinds, options.root_ca_pem);
}

Manager::~Manager() = default;

template <class T, class... Args>
void Manager::add(std::string_view name, std::string_view account, int workers, Args&&... args) {
  if (!only_.empty() && std::find(only_.begin(), only_.end(), name) == only_.end()) return;
  api::Client& client = clients_(account);
  Running made;
  made.events = std::make_unique<api::EventRecorder>(client, seams_, std::string(account));
  auto reconciler = std::make_unique<T>(Deps{client, informers_, seams_, *made.events},
                                        std::forward<Args>(args)...);
  if constexpr (std::is_same_v<T, GarbageCollector>) collector_ = reconciler.get();
  made.reconciler = std::move(reconciler);
  made.loop = std::make_unique<api::ControllerLoop>(
      *made.reconciler, seams_, api::ControllerLoop::Options{.workers = workers});
  running_.push_back(std::move(made));
}

void Manager::add_workloads() {
  add<DeploymentController>("deployment-controller", "deployment-controller", 5);
  add<ReplicaSetController>("replicaset-controller", "replicaset-controller", 5);
  add<StatefulSetController>("statefulset-controller", "statefulset-controller", 5);
  add<DaemonSetController>("daemonset-controller", "daemon-set-controller", 2);
  add<JobController>("job-controller", "job-controller", 5);
  add<JobOrphanController>("job-orphan-pods", "job-controller", 2);
  add<FinishedJobController>("ttl-after-finished-controller", "ttl-after-finished-controller", 1);
  add<DisruptionController>("disruption-controller", "disruption-controller", 2);
  add<EndpointSliceController>("endpointslice-controller", "endpointslice-controller", 5);
  add<EndpointsController>("endpoint-controller", "endpoint-controller", 5);
}

void Manager::add_cluster(const KindSource& kinds, const std::string& root_ca_pem) {
  add<NamespaceController>("namespace-controller", "namespace-controller", 10, kinds);
  add<GarbageCollector>("generic-garbage-collector", "generic-garbage-collector", 20, kinds);
  add<ServiceAccountController>("service-account-controller", "service-account-controller", 1);
  if (!root_ca_pem.empty())
    add<RootCaPublisher>("root-ca-cert-publisher", "root-ca-cert-publisher", 1, root_ca_pem);
  add<NodeHealthController>("node-controller", "node-controller", 2);
  add<TaintEvictionController>("taint-eviction-controller", "node-controller", 5);
  add<ClaimProtectionController>("pvc-protection-controller", "pvc-protection-controller", 1);
  add<VolumeProtectionController>("pv-protection-controller", "pv-protection-controller", 1);
  add<PodGarbageCollector>("pod-garbage-collector", "pod-garbage-collector", 2);
}

void Manager::start() {
  for (Running& one : running_) one.loop->start();
}

Async<void> Manager::stop() {
  for (Running& one : running_) co_await one.loop->stop();
  if (collector_) co_await collector_->stop();
  for (Running& one : running_) co_await one.events->stop();
}

std::vector<std::string> Manager::names() const {
  std::vector<std::string> out;
  for (const Running& one : running_) out.emplace_back(one.loop->name());
  return out;
}

std::vector<std::string> Manager::health() const {
  std::vector<std::string> out;
  for (const Running& one : running_) out.push_back(one.loop->health());
  return out;
}

Result<> Manager::ready() const {
  std::string missing;
  for (const Running& one : running_) {
    const Result<> ready = one.loop->ready();
    if (!ready) missing += (missing.empty() ? "" : "; ") + ready.error().message();
  }
  if (!missing.empty()) return Error(Code::kUnavailable, std::move(missing));
  return Unit{};
}

const api::ControllerLoop* Manager::find(std::string_view name) const {
  for (const Running& one : running_) {
    if (one.loop->name() == name) return one.loop.get();
  }
  return nullptr;
}

void Manager::for_each(const std::function<void(const api::ControllerLoop&)>& visit) const {
  for (const Running& one : running_) visit(*one.loop);
}

}  // namespace atl::controllers

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/cache/informer_set.h"
#include "kernel/node/pod/pod_context.h"
#include "kernel/node/pod/pod_worker.h"
#include "kernel/node/registration/node_registration.h"
#include "kernel/node/server/agent_server.h"
#include "kernel/node/server/pod_directory.h"

namespace atl::node {

struct AgentParts {
  api::Seams seams;
  api::Client& client;
  Runtime& runtime;
  oci::ImageStore& images;
  network::PodNetwork& network;
  ActionRunner& actions;
  const Cgroups* cgroups = nullptr;
  Offload offload;
  std::string folder;      // <data>/agent/pods
  std::string run_folder;  // <run>/pods, in memory; empty: the same as folder
  std::string base_layer;  // runtime/base_layer.h; empty: none
  NodeFacts facts;
  std::string cluster_domain = "cluster.local";
  std::function<std::string()> trouble;  // of network and keeper
  LogLimits log_limits;
  int64_t pod_processes = default_process_limit();  // the most that a pod may have
};

// The node agent: a worker for each pod that the API binds to this node, the node's registration,
// and the directory behind the HTTP server. start() first takes over what an agent before it left
// running, from disk and keeper, without disturbing it, and only then listens to the API. stop()
// leaves every container running. Built by main(); one executor.
class Agent final : public PodDirectory {
 public:
  explicit Agent(AgentParts parts);
  ~Agent() override;

  // Errors: what the keeper or the network says; nothing was disturbed.
  Task<> start();
  Async<void> stop();

  PodWorker* find(const std::string& ns, const std::string& name) override;
  std::vector<PodWorker*> all() override;
  api::EventRecorder& events() { return events_; }

 private:
  Task<> recover();
  std::vector<std::unique_ptr<PodWorker>> read_pods();
  Task<> hand_out(std::vector<LiveContainer> containers);
  void listen();
  void seen(const api::ObjectPtr& pod);
  void gone(const std::string& uid);
  Async<void> drop_pods_that_are_gone();
  Async<void> relist();
  Async<void> remove_stragglers();
  void add(std::unique_ptr<PodWorker> worker);
  Async<void> reap_finished();

  AgentParts parts_;
  api::EventRecorder events_;
  api::InformerSet informers_;
  PodContext context_;
  NodeRegistration registration_;
  std::map<std::string, std::unique_ptr<PodWorker>> workers_;  // by uid
  api::Informer* pods_ = nullptr;
  Event finished_;
  TaskGroup tasks_;
};

}  // namespace atl::node

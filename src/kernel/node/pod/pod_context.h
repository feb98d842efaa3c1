#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/cache/seams.h"
#include "api/client/client.h"
#include "api/controller/event_recorder.h"
#include "kernel/network/pod_network.h"
#include "kernel/node/logs/container_log.h"
#include "kernel/node/offload.h"
#include "kernel/node/pod/environment.h"
#include "kernel/node/probe/action.h"
#include "kernel/node/runtime/cgroups.h"
#include "kernel/node/runtime/runtime.h"
#include "oci/image_store.h"

namespace atl::node {

// What every pod's worker works with. Built once by the agent; all of it outlives the workers.
struct PodContext {
  api::Seams seams;
  api::Client& client;
  Runtime& runtime;
  oci::ImageStore& images;
  network::PodNetwork& network;
  api::EventRecorder& events;
  ActionRunner& actions;
  const Cgroups* cgroups = nullptr;  // null in simulation
  Offload offload;

  std::string folder;      // <data>/agent/pods
  std::string run_folder;  // <run>/pods, in memory: what no container may write and none outlives
  std::string base_layer;  // below every image (runtime/base_layer.h); may be empty
  std::string node_name;
  std::string cluster_domain = "cluster.local";
  int64_t node_milli_cpu = 0;
  int64_t node_memory_bytes = 0;
  int64_t pod_processes = 0;  // the most that a pod may have; 0: no limit
  LogLimits log_limits;
  // Services of a namespace (and kubernetes of "default") for environment variables.
  std::function<std::vector<api::ObjectPtr>()> services;
  MonoTime attach_expected{};  // when Cgroups::expect_attach was last begun, for any pod

  Timer& timer() const { return *seams.timer; }
  std::string pod_folder(const std::string& uid) const { return folder + "/" + uid; }
  std::string pod_run_folder(const std::string& uid) const { return run_folder + "/" + uid; }
};

}  // namespace atl::node

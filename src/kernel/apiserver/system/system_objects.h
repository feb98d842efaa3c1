#pragma once

#include <cstdint>
#include <string>

#include "api/client/client.h"
#include "base/async/task.h"

namespace atl::apiserver {

// Where pods reach the API server.
struct ApiAddress {
  std::string cluster_ip;   // the first of the service range: "10.96.0.1"
  std::string endpoint_ip;  // the address that listens for pods
  uint16_t endpoint_port = 6443;
};

// Creates what every cluster has and repairs what points elsewhere: the namespaces default,
// kube-system, kube-public and kube-node-lease, the system priority classes, and the Service
// `kubernetes` with its Endpoints and EndpointSlice. Safe to call at every start. `client` acts as
// a cluster administrator.
Task<> ensure_system_objects(api::Client& client, ApiAddress address);

}  // namespace atl::apiserver

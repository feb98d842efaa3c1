#pragma once

#include <string>

#include "api/client/client.h"
#include "base/async/task.h"

namespace atl::apiserver {

// Creates the Service kube-system/kube-dns, and creates or repairs its EndpointSlice: the name
// server of the node listens on `endpoint_ip` (LINK_IP), port 53. The data path leads there even
// without these objects (kernel/network); they are what `kubectl get` shows and what charts look
// up. Safe to call at every start, after ensure_system_objects(). `client` acts as a cluster
// administrator.
Task<> ensure_dns_service(api::Client& client, std::string cluster_ip, std::string endpoint_ip);

}  // namespace atl::apiserver

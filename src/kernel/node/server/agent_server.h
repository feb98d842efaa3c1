#pragma once

#include <optional>
#include <string>

#include "base/async/timer.h"
#include "base/net/http.h"
#include "base/text/json.h"
#include "kernel/node/logs/log_reader.h"
#include "kernel/node/offload.h"
#include "kernel/node/runtime/cgroups.h"
#include "kernel/node/runtime/runtime.h"
#include "kernel/node/server/pod_directory.h"
#include "oci/image_store.h"

namespace atl::node {

struct AgentServerParts {
  Executor executor;
  Timer& timer;
  Runtime& runtime;
  oci::ImageStore& images;
  PodDirectory& pods;
  const Cgroups* cgroups;  // null: no stats
  std::string node_name;
  uint32_t server_uid;  // besides root the only one who may ask
  Offload offload = {};
};

// The agent's HTTP interface, with the kubelet's paths, on a Unix socket.
// - GET /healthz
// - GET /pods: the pods as this node reports them
// - GET /stats/summary: CPU and memory by pod
// - GET /containerLogs/<ns>/<pod>/<container>: follow previous timestamps tailLines sinceSeconds
//   sinceTime limitBytes
// - GET /exec/<ns>/<pod>/<container>: WebSocket; command stdin stdout stderr tty
// - GET /attach/<ns>/<pod>/<container>: WebSocket; stdin stdout stderr tty
// - GET /portForward/<ns>/<pod>: WebSocket (port_forward.h)
// - GET /images: {"images":[{id,digest,names,sizeBytes,inUse}]}
// - POST /images/load: a Docker or OCI archive → {"images":[…]}
// - POST /images/pull?ref=REF
// - DELETE /images?ref=REF (or /images/<ref>)
// Errors are metav1.Status. One executor; lives as long as the agent.
class AgentServer {
 public:
  explicit AgentServer(AgentServerParts parts) : parts_(std::move(parts)) {}
  Async<void> handle(net::Request request, net::Responder& responder);

 private:
  Task<> route(net::Request& request, net::Responder& responder);
  Task<> logs(net::Request request, net::Responder& responder, std::vector<std::string> path);
  Task<> exec(net::Request request, net::Responder& responder, std::vector<std::string> path);
  Task<> attach(net::Request request, net::Responder& responder, std::vector<std::string> path);
  Task<> port_forward(net::Request request, net::Responder& responder,
                      std::vector<std::string> path);
  Task<> images(net::Request request, net::Responder& responder, std::vector<std::string> path);
  Task<io::UniqueFd> dial_port(std::string uid, uint16_t port);
  Task<json::Value> list_images();
  json::Value pods() const;
  json::Value stats() const;
  Result<PodAccess> access(const std::vector<std::string>& path, bool previous) const;

  AgentServerParts parts_;
};

// kBadRequest names the parameter.
Result<LogQuery> log_query(const net::Query& query, WallTime now);

}  // namespace atl::node

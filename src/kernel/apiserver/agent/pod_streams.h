#pragma once

#include <string>

#include "base/async/timer.h"
#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// Where the node agent listens, and what its connections run on. Outlives the hooks.
struct AgentOptions {
  Executor executor;
  Timer& timer;
  std::string socket;  // path of its Unix socket
};

// pods/log, pods/exec, pods/attach and pods/portforward: the server checks that the pod and the
// container exist and hands the stream to the node agent, which serves the kubelet's HTTP paths:
// /containerLogs/<ns>/<pod>/<container>, /exec/..., /attach/... and /portForward/<ns>/<pod>. Bytes
// of an upgraded connection pass through unread: the agent speaks the WebSocket subprotocol.
// nodes/proxy reaches every path of the agent (images, stats); for pods/proxy and services/proxy
// see subresources/proxy.h.
void add_pod_streams(HookTable& hooks, const AgentOptions& options);

// The container that a stream is for: the one named, or the only one. kBadRequest otherwise, in the
// words that kubectl shows.
Result<std::string> choose_container(const json::Value& pod, std::string_view wanted);

}  // namespace atl::apiserver

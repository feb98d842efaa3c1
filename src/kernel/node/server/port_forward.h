#pragma once

#include <functional>
#include <string>

#include "base/async/timer.h"
#include "base/io/unique_fd.h"
#include "base/net/http.h"

// `kubectl port-forward`: SPDY/3.1 frames in the messages of a WebSocket (subprotocol
// SPDY/3.1+portforward.k8s.io). For each connection the client opens two streams with the headers
// port and requestid: streamtype "error", which carries words, and streamtype "data". Clients that
// offer v4.channel.k8s.io alone are served as port_channels.h says.
namespace atl::node {

// A non-blocking socket connected to a port of the pod, made where the pod's network is.
using DialPort = std::function<Task<io::UniqueFd>(uint16_t port)>;

// Serves until the client goes away. Limits: kForwardsMax connections at a time.
inline constexpr size_t kForwardsMax = 256;
Task<> serve_port_forward(Executor executor, net::Request request, net::Responder& responder,
                          DialPort dial);

// Connects to 127.0.0.1 inside a network namespace (nothing: the host's). For a thread that may
// wait. kUnavailable: nobody listens there.
Result<io::UniqueFd> connect_in_netns(const io::UniqueFd& netns, uint16_t port);

}  // namespace atl::node

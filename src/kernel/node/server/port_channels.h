#pragma once

#include <memory>
#include <vector>

#include "base/net/websocket.h"
#include "kernel/node/server/port_forward.h"

// Port forwarding for clients without SPDY, such as Kubernetes' JavaScript client: subprotocol
// v4.channel.k8s.io, the ports in the query. Each message starts with a byte that names its
// channel: for the port at place i of the list 2i carries bytes and 2i+1, towards the client, an
// error in words. The first message on each channel holds the port's number, two bytes, the lower
// one first. A port is one connection, made at once; the socket closes when all are over.
namespace atl::node {

inline constexpr const char* kChannelSubprotocol = "v4.channel.k8s.io";
inline constexpr size_t kChannelPortsMax = 64;

// `port=80&port=443` or `port=80,443`. kBadRequest: none, too many, or what is no port.
Result<std::vector<uint16_t>> channel_ports(const net::Query& query);

// Serves until all connections are over or the client goes away.
Task<> serve_port_channels(Executor executor, std::unique_ptr<net::WebSocket> socket,
                           std::vector<uint16_t> ports, DialPort dial);

}  // namespace atl::node

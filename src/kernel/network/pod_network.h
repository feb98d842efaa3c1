#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/core/clock.h"
#include "base/io/unique_fd.h"

// A pod's place on the network, as the node agent sees it.
namespace atl::network {

// A container port that the node answers on as well (spec.containers[].ports[].hostPort).
struct HostPort {
  enum class Protocol : uint8_t { kTcp = 6, kUdp = 17 };
  Protocol protocol = Protocol::kTcp;
  uint16_t host_port = 0;
  uint16_t pod_port = 0;
  auto operator<=>(const HostPort&) const = default;
};

struct PodRef {
  std::string uid;
  std::string ns;
  std::string name;
  // Reachable on the node's loopback address only, unless node addresses are configured.
  std::vector<HostPort> host_ports;
};

// A network namespace with its interface up. The namespace lives as long as somebody holds the fd
// (the keeper does) or a process is inside.
struct Attachment {
  io::UniqueFd netns;
  std::string ip;       // "10.42.0.7"
  std::string gateway;  // link-local next hop inside the pod
};

// What the agent found alive after a restart: its own record joined with the keeper's fd.
struct KnownPod {
  PodRef pod;
  std::string ip;
  io::UniqueFd netns;
};

// Gives pods their namespace, interface and address. One executor; netlink work runs on a pool.
// Lives as long as the agent.
class PodNetwork {
 public:
  virtual ~PodNetwork() = default;

  // Called once before any attach(): takes back the addresses of pods that live on and removes
  // interfaces and namespaces of those that do not.
  virtual Task<> recover(std::vector<KnownPod> pods) = 0;
  // Idempotent for a uid. kExhausted: no address left; kForbidden: no right to make a namespace.
  virtual Task<Attachment> attach(PodRef pod) = 0;
  // Returns once no new connection through a Service, or through a host port, can reach the pod any
  // more. To be awaited (it takes milliseconds) between a pod's deletion and its SIGTERM, so that a
  // rolling update drops no request. Ok for an unknown pod; kTimeout past `limit`: go on all the
  // same.
  virtual Task<> drain(std::string pod_uid, Duration limit) {
    (void)pod_uid, (void)limit;
    co_return Unit{};
  }
  // Removes interface and address; ok where there is none.
  virtual Task<> detach(std::string pod_uid) = 0;
  // A host-network pod's and the node's own address.
  virtual std::string node_address() const = 0;
  // What goes into resolv.conf for ClusterFirst; empty: cluster DNS is not offered.
  virtual std::string dns_address() const = 0;
};

}  // namespace atl::network

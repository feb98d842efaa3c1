#pragma once

#include <set>
#include <string>

#include "base/core/result.h"
#include "kernel/network/options.h"

namespace atl::network {

// What the host itself needs for pods, and how it is undone. All of it blocking: netlink and
// /proc/sys.
//
// - LINK_IP/32 on lo, host scope: API, DNS and gateway for pods, and the source address of the
// host's own
//   connections to pods and Services.
// - A route of SERVICE_CIDR through lo, so that the host can connect to a ClusterIP even without a
//   default route; nftables changes the destination before the packet gets anywhere.
// - Forwarding on the devices that lead away from the machine, one by one: the global ip_forward
// stays as
//   it is. Where it is off, a rule keeps those devices from forwarding anything but pod traffic.

struct HostFacts {
  std::string node_address;      // of the device with the default route; 127.0.0.1 without one
  uint32_t mtu = 1500;           // of that device
  std::set<std::string> opened;  // devices that forward only because of us
  bool operator==(const HostFacts&) const = default;
};

// Idempotent; run at start and now and then, for devices come and go.
// kConflict where a route of the host lies in the pod or service range; kForbidden without the
// rights.
Result<HostFacts> prepare_host(const Options& options);

// Undoes everything the record in `state` tells of, and deletes every link of the instance.
// Ok where there is nothing. Goes on after a failure and returns the first.
Result<> restore_host(const Options& options);

}  // namespace atl::network

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/io/layout.h"
#include "kernel/network/address.h"

namespace atl::network {

// What tells one instance's network from another's on the same machine, and where it lies. Value
// type.
struct Options {
  std::string instance;  // names the nftables table
  std::string state;     // folder: the record of changed sysctls

  Ipv4Range pods;
  Ipv4Range services;
  Ipv4 link_ip;  // on lo: API, DNS and gateway for pods; also the source of what the host sends to
                 // pods
  Ipv4 dns_ip;   // ClusterIP of kube-dns
  uint16_t api_port = 0;
  std::string cluster_domain = "cluster.local";
  // Where NodePorts and host ports answer. Loopback until somebody configures more.
  std::vector<Ipv4> node_port_addresses;
  // Link-local addresses beyond the host, such as a cloud's metadata service, which often hands out
  // the machine's own credentials: closed to pods until somebody opens them.
  bool metadata_from_pods = false;
  // Never taken by a NodePort or host port: the ports of API and gateway.
  std::vector<uint16_t> reserved_ports;

  // The folder of HostRecord; the same for Network::cleanup, which reads no configuration.
  static std::string state_folder(const io::Layout& layout);
  // kInvalid names the key. Also refuses ranges that overlap each other.
  static Result<Options> from(const io::Layout& layout, const io::Config& config);

  // 24 bits that stand for the instance in names and numbers of the kernel.
  uint32_t tag() const;
  uint32_t link_group() const { return 0x41000000u | tag(); }  // links of living pods
  uint32_t dying_group() const {
    return 0x42000000u | tag();
  }  // links about to be deleted together
  // "v" + tag + address, both in hex: 15 characters, the most a link's name may have.
  std::string link_name(Ipv4 pod) const;
};

}  // namespace atl::network

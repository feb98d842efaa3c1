#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/object/object.h"
#include "kernel/network/address.h"

// What the data path and the DNS server need to know of Services and EndpointSlices. Value types,
// read from API objects once for each event; what is missing or of a wrong type is left out, never
// an error: the API server has validated, and a single odd object must not stop the others.
namespace atl::network {

enum class Protocol : uint8_t { kTcp = 6, kUdp = 17 };
std::string_view name(Protocol protocol);  // "tcp", "udp"

struct ServicePort {
  std::string name;
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;
  uint16_t node_port = 0;  // 0: none
  bool operator==(const ServicePort&) const = default;
};

struct ServiceInfo {
  api::ObjectKey key;
  std::vector<Ipv4> cluster_ips;  // IPv4 only; empty: headless or ExternalName
  bool headless = false;          // clusterIP: None
  std::string external_name;      // of type ExternalName
  bool sticky = false;            // sessionAffinity: ClientIP
  std::vector<ServicePort> ports;
  bool operator==(const ServiceInfo&) const = default;
};

struct Endpoint {
  Ipv4 ip;
  bool ready = true;     // gets new connections
  std::string hostname;  // a DNS record of its own
  std::string pod;       // name of the pod, where it is one
  bool operator==(const Endpoint&) const = default;
};

struct SlicePort {
  std::string name;
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;  // 0: every port (nothing is programmed for it)
  bool operator==(const SlicePort&) const = default;
};

struct SliceInfo {
  api::ObjectKey service;  // empty name: belongs to no Service
  std::vector<Endpoint> endpoints;
  std::vector<SlicePort> ports;
  bool operator==(const SliceInfo&) const = default;
};

// TCP and UDP ports only: SCTP ports are left out.
ServiceInfo service_info(const api::Object& object);
// IPv4 slices only: others come out empty. Addresses that are of no host (loopback, link-local,
// multicast ...) are left out; API and DNS, which do answer at LINK_IP, are led there by the table
// itself, whatever their slices say.
SliceInfo slice_info(const api::Object& object);

}  // namespace atl::network

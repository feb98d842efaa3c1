#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernel/network/options.h"
#include "kernel/network/pod_network.h"
#include "kernel/network/service_model.h"

namespace atl::network {

// Where a client connects to.
struct Frontend {
  Ipv4 ip;
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;
  auto operator<=>(const Frontend&) const = default;
};

// Where the connection really goes.
struct Backend {
  Ipv4 ip;
  uint16_t port = 0;
  auto operator<=>(const Backend&) const = default;
};

struct Balancing {
  std::vector<Backend> backends;  // sorted, no duplicates; never empty in a table
  bool sticky = false;
  bool operator==(const Balancing&) const = default;
};

// One way in which connections are translated.
using Translation = std::pair<Frontend, Backend>;

using Frontends = std::map<Frontend, Balancing>;

// What the kernel should translate: computed from Services, their slices, and pods' host ports.
// Pure state, no I/O. A frontend without a ready backend is not in the table: the kernel then
// refuses connections. Two owners of one frontend: the first by name keeps it, the other waits.
// Owned by Services; one executor.
class ServiceTable {
 public:
  explicit ServiceTable(const Options& options);

  void set_service(ServiceInfo service);
  void remove_service(const api::ObjectKey& key);
  void set_slice(const api::ObjectKey& key, SliceInfo slice);
  void remove_slice(const api::ObjectKey& key);
  void set_host_ports(const std::string& pod_uid, Ipv4 ip, std::vector<HostPort> ports);
  void remove_pod(const std::string& pod_uid);
  // No new connection for this address from now on, whatever the slices say, until the pod is
  // removed or the address is used again.
  void exclude(Ipv4 ip);
  void include(Ipv4 ip);

  const Frontends& frontends() const { return frontends_; }
  // The frontends that became others since the last call.
  std::set<Frontend> take_changed() { return std::exchange(changed_, {}); }
  bool has_changed() const { return !changed_.empty(); }

 private:
  void refresh(const api::ObjectKey& service);
  void refresh_all_with(Ipv4 ip);
  Frontends of_service(const ServiceInfo& service) const;
  std::vector<Backend> backends(const api::ObjectKey& service, const ServicePort& port) const;
  // Replaces what an owner ("svc/ns/name", "pod/uid", "atoll") contributes.
  void contribute(const std::string& owner, Frontends now);
  // Gives a frontend to the first of those who claim it.
  void settle(const Frontend& frontend);

  Options options_;
  std::map<api::ObjectKey, ServiceInfo> services_;
  std::map<api::ObjectKey, SliceInfo> slices_;
  std::map<api::ObjectKey, std::set<api::ObjectKey>> slices_of_;  // by Service
  std::map<std::string, std::pair<Ipv4, std::vector<HostPort>>> host_ports_;
  std::set<Ipv4> excluded_;
  std::map<std::string, Frontends> contributions_;    // by owner
  std::map<Frontend, std::set<std::string>> claims_;  // owners of each frontend
  Frontends frontends_;
  std::set<Frontend> changed_;
};

}  // namespace atl::network

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/async/blocking_pool.h"
#include "base/async/event.h"
#include "kernel/network/address_pool.h"
#include "kernel/network/host_network.h"
#include "kernel/network/options.h"
#include "kernel/network/pod_network.h"

namespace atl::network {

class Services;

// Pods as /32 routes over veth pairs, without a bridge.
//
//   pod: eth0 10.42.0.7/32, default via 169.254.1.1 (permanent neighbour: the host's side)
//   host: v<tag><ip>, route 10.42.0.7/32 to it (permanent neighbour: the pod's side)
//
// Nobody asks by ARP, pods share no broadcast domain, and the kernel's route is the whole of the
// forwarding state. The namespace is an fd: it lives with its holders (the keeper, processes
// inside), has no name and no mount, and takes the veth with it when the last holder leaves. So
// there is nothing to leak, and nothing to journal: who has which address is in the agent's record
// and in the links' names.
//
// Owned by Network; one executor; netlink runs on the pool. Services may be null (tests).
class RoutedPodNetwork final : public PodNetwork {
 public:
  RoutedPodNetwork(Options options, BlockingPool& pool, Services* services);

  // Before the first use, and whenever the host's facts changed.
  void set_facts(HostFacts facts) { facts_ = std::move(facts); }

  Task<> recover(std::vector<KnownPod> pods) override;
  Task<Attachment> attach(PodRef pod) override;
  Task<> drain(std::string pod_uid, Duration limit) override;
  Task<> detach(std::string pod_uid) override;
  std::string node_address() const override { return facts_.node_address; }
  // LINK_IP itself, not kube-dns's ClusterIP, which leads to the same server: one translation fewer
  // for every question, and names resolve before the first Service is programmed.
  std::string dns_address() const override { return options_.link_ip.text(); }

  const AddressPool& addresses() const { return pool_of_addresses_; }

 private:
  struct Wiring;  // what a job on the pool needs, by value
  Wiring wiring(const PodRef& pod, Ipv4 ip) const;
  // Blocking. Makes what is missing.
  static Result<> wire(const Wiring& wiring, int netns);
  static Result<> unwire(const Options& options, const std::vector<Ipv4>& pods);
  static Result<> sweep(const Options& options, const std::set<std::string>& keep);
  Result<> check_host_ports(const PodRef& pod) const;

  Options options_;
  BlockingPool& pool_;
  Services* services_;
  HostFacts facts_;
  AddressPool pool_of_addresses_;
  std::map<std::string, io::UniqueFd> namespaces_;  // by uid
  std::set<std::string> leaving_;                   // uids whose links wait for the next sweep
  bool unwiring_ = false;
  Event unwired_;
};

}  // namespace atl::network

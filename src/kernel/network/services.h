#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/async/blocking_pool.h"
#include "base/async/event.h"
#include "base/async/task_group.h"
#include "kernel/network/nft.h"
#include "kernel/network/ruleset.h"
#include "kernel/network/service_table.h"

namespace atl::network {

// Keeps the kernel's nftables table equal to a ServiceTable.
//
// Changes are told by the set_ and remove_ functions, which never wait; one background task carries
// them over, everything that gathered meanwhile in one transaction. A transaction that the kernel
// refuses is followed by a replacement of the whole table, and that by retries with a growing wait:
// what the kernel holds is never unknown.
//
// A table that is there at the start (the agent was restarted) stays as it is until begin(): pods
// and connections do not notice. Owned by Network; one executor; nftables runs on the pool.
class Services {
 public:
  Services(Executor executor, Timer& timer, BlockingPool& pool, Options options);
  ~Services();

  // Opens nftables; installs the table where there is none, so that pods are kept apart from the
  // first moment.
  Task<> start(HostFacts facts);
  // All Services and slices have been told: from now on the kernel follows.
  void begin();
  Async<void> stop();

  void set_service(ServiceInfo service);
  void remove_service(const api::ObjectKey& key);
  void set_slice(const api::ObjectKey& key, SliceInfo slice);
  void remove_slice(const api::ObjectKey& key);
  void set_host_ports(const std::string& pod_uid, Ipv4 ip, std::vector<HostPort> ports);
  void forget_pod(const std::string& pod_uid);
  // A change replaces the whole table.
  void set_facts(HostFacts facts);
  // Somebody may have changed the kernel's rules (nft flush ruleset): looks, and replaces the table
  // if so.
  void check();

  // How long a pod that was a backend is left alone after it is none any more: a gateway learns of
  // the change a little later than the kernel, and what is on its way to the pod gets its answer.
  static constexpr Duration kSettle = std::chrono::milliseconds(200);
  // Takes the pod's address out of every frontend and returns once the kernel has done so, and
  // kSettle has passed where it was in any; at once where it is in none.
  Task<> drain(Ipv4 ip, Duration limit);
  // Returns once everything told so far is in the kernel.
  Task<> settled(Duration limit);

  const ServiceTable& table() const { return table_; }
  uint64_t transactions() const { return transactions_; }
  // Of the newest attempt; empty while all is well.
  const std::string& last_error() const { return last_error_; }

 private:
  struct Plan;  // one transaction, made on the executor and run on the pool
  void touch();
  void touch_if_changed();
  Async<void> run();
  Task<> synchronize();
  Plan plan();
  void account(const Plan& plan);

  Timer& timer_;
  BlockingPool& pool_;
  Options options_;
  HostFacts facts_;
  ServiceTable table_;
  std::shared_ptr<Nft> nft_;       // shared with a running job only
  Frontends programmed_;           // what the kernel has
  std::map<Ipv4, size_t> uses_;    // of each backend address in programmed_
  std::map<Ipv4, MonoTime> left_;  // when an address ceased to be a backend, for kSettle
  bool replace_all_ = false;       // the kernel's state is not known, or the facts changed
  bool check_ = false;
  bool begun_ = false;
  uint64_t wanted_ = 0;   // counts changes told
  uint64_t applied_ = 0;  // the newest of them in the kernel
  uint64_t transactions_ = 0;
  std::string last_error_;
  Event changed_;
  Event progressed_;
  TaskGroup tasks_;
};

}  // namespace atl::network

#pragma once

#include <memory>
#include <string>

#include "api/cache/informer_set.h"
#include "base/async/blocking_pool.h"
#include "base/io/layout.h"
#include "kernel/network/dns/server.h"
#include "kernel/network/routed_pod_network.h"
#include "kernel/network/services.h"

namespace atl::network {

// The whole network of a node: host, pods, Services, DNS. Owned by atoll-agent's main(); one
// executor, with blocking work on the pool. stop() leaves everything in the kernel as it is: pods
// go on, and the next start() takes over.
class Network {
 public:
  // `client` needs to read Services and EndpointSlices. All outlive it.
  Network(api::Seams seams, BlockingPool& pool, api::Client& client, Options options);
  ~Network();

  // Prepares the host, keeps pods apart, answers DNS. Returns before the API has been heard:
  // Services follow as soon as they are known. kConflict: a range clashes with the host's routes;
  // kExists: port 53 of LINK_IP is taken; kForbidden: rights are missing.
  Task<> start();
  Async<void> stop();

  PodNetwork& pods() { return pods_; }
  // Every Service known so far is in the kernel. For readiness and for tests.
  Task<> settled(Duration limit) { return services_.settled(limit); }
  // What is wrong at the moment, for people; empty while all is well.
  std::string trouble() const;

  // Removes every link, address, route, rule and changed setting of the instance. For `./up
  // --reset`, after the agent has stopped; needs no configuration. Blocking. Ok where there is
  // nothing.
  static Result<> cleanup(const io::Layout& layout);

 private:
  void watch();
  Async<void> begin_when_synced();
  // Looks after what others may change: devices that come and go, rules that were flushed.
  Async<void> look_after();

  api::Seams seams_;
  BlockingPool& pool_;
  Options options_;
  Services services_;
  RoutedPodNetwork pods_;
  dns::DnsServer dns_;
  api::InformerSet informers_;
  std::string host_trouble_;
  TaskGroup tasks_;
};

}  // namespace atl::network

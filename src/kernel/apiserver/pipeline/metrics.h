#pragma once

#include <map>
#include <string>
#include <tuple>

#include "kernel/apiserver/pipeline/exchange.h"
#include "kernel/apiserver/pipeline/fairness.h"
#include "kernel/apiserver/registry/watch_cache.h"

namespace atl::apiserver {

// Counters of the API server as Prometheus text. Names are kube-apiserver's where it has them, so
// that its dashboards work. Owned by ApiServer; one executor.
class Metrics {
 public:
  void count(const Exchange& exchange, MonoTime now);
  std::string text(const Fairness& fairness, const WatchCache& cache) const;

 private:
  struct Latency {
    uint64_t count = 0;
    double seconds = 0;
  };
  using Key =
      std::tuple<std::string, std::string, std::string, int>;  // verb, group, resource, code
  std::map<Key, uint64_t> requests_;
  std::map<std::string, Latency> latency_;  // by verb
};

}  // namespace atl::apiserver

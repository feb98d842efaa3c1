#include "kernel/apiserver/pipeline/metrics.h"

#include <fmt/format.h>

namespace atl::apiserver {
namespace {
// Paths of strangers must not make time series.
constexpr size_t kSeriesMax = 2'000;
}  // namespace

void Metrics::count(const Exchange& exchange, MonoTime now) {
  const RequestInfo& info = exchange.info;
  const bool real = info.is_resource && exchange.status() != 404;
  Key key{real ? info.verb : "other", real ? info.group : "", real ? info.resource : "",
          exchange.status()};
  if (requests_.size() >= kSeriesMax && !requests_.contains(key))
    key = {"other", "", "", exchange.status()};
  ++requests_[key];
  if (is_long_running(info)) return;
  Latency& latency = latency_[std::get<0>(key)];
  ++latency.count;
  latency.seconds += std::chrono::duration<double>(now - exchange.begun).count();
}

std::string Metrics::text(const Fairness& fairness, const WatchCache& cache) const {
  std::string out = "# TYPE apiserver_request_total counter\n";
  const auto to = std::back_inserter(out);
  for (const auto& [key, count] : requests_) {
    const auto& [verb, group, resource, code] = key;
    fmt::format_to(
        to, "apiserver_request_total{{verb=\"{}\",group=\"{}\",resource=\"{}\",code=\"{}\"}} {}\n",
        verb, group, resource, code, count);
  }
  out += "# TYPE apiserver_request_duration_seconds summary\n";
  for (const auto& [verb, latency] : latency_) {
    fmt::format_to(to, "apiserver_request_duration_seconds_sum{{verb=\"{}\"}} {}\n", verb,
                   latency.seconds);
    fmt::format_to(to, "apiserver_request_duration_seconds_count{{verb=\"{}\"}} {}\n", verb,
                   latency.count);
  }
  out += "# TYPE apiserver_current_inflight_requests gauge\n";
  fmt::format_to(to, "apiserver_current_inflight_requests{{request_kind=\"readOnly\"}} {}\n",
                 fairness.reads());
  fmt::format_to(to, "apiserver_current_inflight_requests{{request_kind=\"mutating\"}} {}\n",
                 fairness.writes());
  fmt::format_to(to, "# TYPE apiserver_watchers gauge\napiserver_watchers {}\n", cache.watchers());
  fmt::format_to(to, "# TYPE apiserver_storage_objects gauge\napiserver_storage_objects {}\n",
                 cache.objects());
  fmt::format_to(to, "# TYPE apiserver_store_revision gauge\napiserver_store_revision {}\n",
                 cache.revision().value);
  return out;
}

}  // namespace atl::apiserver

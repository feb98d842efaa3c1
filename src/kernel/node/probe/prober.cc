#include "kernel/node/probe/prober.h"

#include <algorithm>

#include "kernel/node/json_read.h"

namespace atl::node {

std::string_view text(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::kStartup:
      return "Startup";
    case ProbeKind::kReadiness:
      return "Readiness";
    case ProbeKind::kLiveness:
      return "Liveness";
  }
  return "";
}

std::optional<ProbeSpec> probe_of(const json::Value& container, ProbeKind kind) {
  const std::string_view field = kind == ProbeKind::kStartup     ? "startupProbe"
                                 : kind == ProbeKind::kReadiness ? "readinessProbe"
                                                                 : "livenessProbe";
  const json::Value* probe = json::find(container, {field});
  if (!probe || !probe->is_object()) return std::nullopt;
  const auto seconds = [&](std::string_view name, int64_t fallback) {
    return span_of_seconds(json::int_at(*probe, {name}, fallback));
  };
  ProbeSpec spec;
  spec.action = *probe;
  spec.initial_delay = seconds("initialDelaySeconds", 0);
  spec.period = std::max<Duration>(seconds("periodSeconds", 10), std::chrono::seconds(1));
  spec.timeout = std::max<Duration>(seconds("timeoutSeconds", 1), std::chrono::seconds(1));
  spec.success_threshold = int(std::max<int64_t>(1, json::int_at(*probe, {"successThreshold"}, 1)));
  spec.failure_threshold = int(std::max<int64_t>(1, json::int_at(*probe, {"failureThreshold"}, 3)));
  if (json::find(*probe, {"terminationGracePeriodSeconds"}))
    spec.grace = seconds("terminationGracePeriodSeconds", 30);
  return spec;
}

std::optional<bool> ProbeCounter::add(bool ok) {
  run_ = ok == last_ ? run_ + 1 : 1;
  last_ = ok;
  if (run_ < (ok ? success_ : failure_)) return std::nullopt;
  return ok;
}

Async<void> run_probe(ProbeKind kind, ProbeSpec spec, ActionTarget target, ActionRunner& runner,
                      Timer& timer, ProbeEvents events) {
  ProbeCounter counter(spec);
  bool slept = true;
  if (spec.initial_delay > Duration::zero()) slept = co_await timer.sleep_for(spec.initial_delay);
  while (slept && events.wanted()) {
    auto result = co_await runner.run(spec.action, target, spec.timeout);
    if (!result && result.error().code() == Code::kCancelled) co_return;
    if (!events.wanted()) co_return;
    if (!result) events.failed(result.error().message());
    const auto verdict = counter.add(result.has_value());
    if (verdict) events.verdict(*verdict);
    if (verdict && *verdict && kind == ProbeKind::kStartup) co_return;
    slept = co_await timer.sleep_for(spec.period);
  }
}

}  // namespace atl::node

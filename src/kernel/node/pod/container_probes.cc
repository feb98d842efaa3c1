#include "kernel/node/pod/container_probes.h"

#include <fmt/format.h>

#include <utility>

namespace atl::node {

using Phase = ContainerState::Phase;

ContainerProbes::ContainerProbes(PodContext& context, PodRecord& record, PodReporter& reporter,
                                 PodTasks& tasks)
    : context_(context), record_(record), reporter_(reporter), tasks_(tasks) {}

void ContainerProbes::begin(ContainerRun& run) {
  if (probe_of(run.container, ProbeKind::kStartup)) return add(run, ProbeKind::kStartup);
  begin_regular(run);
}

void ContainerProbes::begin_regular(ContainerRun& run) {
  ContainerState& c = record_.state().of(run.name);
  c.startup_passed = true;
  c.ready = !probe_of(run.container, ProbeKind::kReadiness);
  for (const ProbeKind kind : {ProbeKind::kReadiness, ProbeKind::kLiveness}) {
    if (probe_of(run.container, kind)) add(run, kind);
  }
}

void ContainerProbes::add(ContainerRun& run, ProbeKind kind) {
  const ProbeSpec spec = *probe_of(run.container, kind);
  // The run outlives its tasks; it is looked at by address so that it does not own itself.
  ContainerRun* const r = &run;
  ProbeEvents events;
  events.wanted = [this, r] {
    return !r->exited && record_.state().of(r->name).phase == Phase::kRunning;
  };
  events.failed = [this, r, kind](const std::string& message) {
    reporter_.note_of(r->name, api::EventLevel::kWarning, "Unhealthy",
                      fmt::format("{} probe failed: {}", text(kind), message));
  };
  events.verdict = [this, r, kind, spec](bool healthy) { verdict(*r, kind, spec, healthy); };
  tasks_.spawn_in(
      run.tasks, "probe of " + run.name,
      [this, kind, spec, target = run.target(), events] {
        return run_probe(kind, spec, target, context_.actions, context_.timer(), events);
      },
      Again::kUntilDone);
}

void ContainerProbes::verdict(ContainerRun& run, ProbeKind kind, const ProbeSpec& spec,
                              bool healthy) {
  if (run.exited) return;  // of a command that is there no more
  ContainerState& c = record_.state().of(run.name);
  switch (kind) {
    case ProbeKind::kReadiness:
      if (c.ready == healthy) return;
      c.ready = healthy;
      break;
    case ProbeKind::kStartup:
      if (healthy) {
        begin_regular(run);
        break;
      }
      [[fallthrough]];
    case ProbeKind::kLiveness:
      if (healthy) return;
      condemn_(run.name,
               fmt::format("Container {} failed {} probe, will be restarted", run.name,
                           kind == ProbeKind::kStartup ? "startup" : "liveness"),
               spec.grace);
      break;
  }
  tasks_.poke();
}

}  // namespace atl::node

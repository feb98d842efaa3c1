#include <fmt/format.h>

#include <algorithm>

#include "api/table/printers_impl.h"

// The cells of a pod. Its status is a summary: the phase, unless a container, an init container or
// a deletion says something more urgent. Init containers that restart always ("sidecars") count as
// containers once they have started.
namespace atl::api::printers {
namespace {

using json::array_at;
using json::bool_at;
using json::find;
using json::int_at;
using json::string_at;

struct Summary {
  std::string status;
  int64_t ready = 0;
  int64_t containers = 0;
  int64_t restarts = 0;
  std::string last_restart;  // RFC 3339; empty where nothing restarted
};

bool is_sidecar(const json::Value& pod, std::string_view container) {
  for (const json::Value& init : array_at(pod, {"spec", "initContainers"})) {
    if (string_at(init, {"name"}) == container)
      return string_at(init, {"restartPolicy"}) == "Always";
  }
  return false;
}

void note_restart(const json::Value& status, std::string& last) {
  const std::string_view finished = string_at(status, {"lastState", "terminated", "finishedAt"});
  if (finished > last) last = finished;
}

// "Init:Error", "Init:ExitCode:1", "Signal:9": why a container ended.
std::string end_reason(const json::Value& terminated, std::string_view prefix) {
  const std::string_view reason = string_at(terminated, {"reason"});
  if (!reason.empty()) return fmt::format("{}{}", prefix, reason);
  const int64_t signal = int_at(terminated, {"signal"});
  if (signal != 0) return fmt::format("{}Signal:{}", prefix, signal);
  return fmt::format("{}ExitCode:{}", prefix, int_at(terminated, {"exitCode"}));
}

struct Sidecars {
  int64_t restarts = 0;
  std::string last_restart;
};

// True while the pod initializes: its status then says how far it got.
bool summarize_init(const json::Value& pod, Summary& out, Sidecars& sidecars) {
  const json::Array& statuses = array_at(pod, {"status", "initContainerStatuses"});
  for (size_t i = 0; i < statuses.size(); ++i) {
    const json::Value& status = statuses[i];
    const bool sidecar = is_sidecar(pod, string_at(status, {"name"}));
    out.restarts += int_at(status, {"restartCount"});
    note_restart(status, out.last_restart);
    if (sidecar) {
      sidecars.restarts += int_at(status, {"restartCount"});
      note_restart(status, sidecars.last_restart);
    }
    const json::Value* terminated = find(status, {"state", "terminated"});
    const std::string_view waiting = string_at(status, {"state", "waiting", "reason"});
    if (terminated && int_at(*terminated, {"exitCode"}) == 0) continue;
    if (sidecar && bool_at(status, {"started"})) {
      out.ready += bool_at(status, {"ready"}) ? 1 : 0;
      continue;
    }
    if (terminated) {
      out.status = end_reason(*terminated, "Init:");
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      out.status = fmt::format("Init:{}", waiting);
    } else {
      out.status = fmt::format("Init:{}/{}", i, array_at(pod, {"spec", "initContainers"}).size());
    }
    return true;
  }
  return false;
}

void summarize_containers(const json::Value& pod, Summary& out) {
  const json::Array& statuses = array_at(pod, {"status", "containerStatuses"});
  bool running = false;
  std::string error;
  for (size_t i = statuses.size(); i-- > 0;) {
    const json::Value& status = statuses[i];
    out.restarts += int_at(status, {"restartCount"});
    note_restart(status, out.last_restart);
    const std::string_view waiting = string_at(status, {"state", "waiting", "reason"});
    const json::Value* terminated = find(status, {"state", "terminated"});
    if (!waiting.empty()) {
      out.status = waiting;
    } else if (terminated) {
      out.status = end_reason(*terminated, "");
      if (int_at(*terminated, {"exitCode"}) != 0) error = out.status;
    } else if (bool_at(status, {"ready"}) && find(status, {"state", "running"})) {
      running = true;
      ++out.ready;
    }
  }
  if (out.status != "Completed") return;
  // One container ended well; another may still run, or have failed.
  const json::Value* ready = condition(pod, "Ready");
  if (running && ready && string_at(*ready, {"status"}) == "True") {
    out.status = "Running";
  } else if (!error.empty()) {
    out.status = error;
  } else if (running) {
    out.status = "NotReady";
  }
}

Summary summarize(const json::Value& pod) {
  Summary out;
  const std::string_view phase = string_at(pod, {"status", "phase"});
  const std::string_view reason = string_at(pod, {"status", "reason"});
  out.status = reason.empty() ? phase : reason;
  const json::Value* scheduled = condition(pod, "PodScheduled");
  if (scheduled && string_at(*scheduled, {"reason"}) == "SchedulingGated")
    out.status = "SchedulingGated";
  out.containers = int64_t(array_at(pod, {"spec", "containers"}).size());
  for (const json::Value& init : array_at(pod, {"spec", "initContainers"})) {
    out.containers += string_at(init, {"restartPolicy"}) == "Always" ? 1 : 0;
  }
  Sidecars sidecars;
  const bool initializing = summarize_init(pod, out, sidecars);
  const json::Value* initialized = condition(pod, "Initialized");
  if (!initializing || (initialized && string_at(*initialized, {"status"}) == "True")) {
    out.restarts = sidecars.restarts;
    out.last_restart = sidecars.last_restart;
    summarize_containers(pod, out);
  }
  const json::Value* deleted = find(pod, {"metadata", "deletionTimestamp"});
  if (deleted && !deleted->is_null()) {
    if (reason == "NodeLost") {
      out.status = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      out.status = "Terminating";
    }
  }
  return out;
}

json::Value ready(const json::Value& pod, WallTime) {
  const Summary summary = summarize(pod);
  return text(fmt::format("{}/{}", summary.ready, summary.containers));
}

json::Value restarts(const json::Value& pod, WallTime now) {
  const Summary summary = summarize(pod);
  if (summary.restarts == 0 || summary.last_restart.empty())
    return text(std::to_string(summary.restarts));
  return text(fmt::format("{} ({} ago)", summary.restarts, age_of(summary.last_restart, now)));
}

json::Value readiness_gates(const json::Value& pod, WallTime) {
  const json::Array& gates = array_at(pod, {"spec", "readinessGates"});
  if (gates.empty()) return text(kNone);
  const auto open = std::count_if(gates.begin(), gates.end(), [&](const json::Value& gate) {
    const json::Value* found = condition(pod, string_at(gate, {"conditionType"}));
    return found && string_at(*found, {"status"}) == "True";
  });
  return text(fmt::format("{}/{}", open, gates.size()));
}

json::Value ip(const json::Value& pod, WallTime) {
  const json::Array& ips = array_at(pod, {"status", "podIPs"});
  return text_or(ips.empty() ? string_at(pod, {"status", "podIP"}) : string_at(ips[0], {"ip"}),
                 kNone);
}

}  // namespace

std::span<const Printer> pod_printers() {
  static constexpr Printer kPrinters[] = {
      {"pod.ready", ready},
      {"pod.status", [](const json::Value& d, WallTime) { return text(summarize(d).status); }},
      {"pod.restarts", restarts},
      {"pod.ip", ip},
      {"pod.node", [](const json::Value& d,
                      WallTime) { return text_or(string_at(d, {"spec", "nodeName"}), kNone); }},
      {"pod.nominated_node",
       [](const json::Value& d, WallTime) {
         return text_or(string_at(d, {"status", "nominatedNodeName"}), kNone);
       }},
      {"pod.readiness_gates", readiness_gates},
      {"pod_template.labels",
       [](const json::Value& d, WallTime) {
         return text(labels_text(json::object_at(d, {"template", "metadata", "labels"})));
       }},
  };
  return kPrinters;
}

}  // namespace atl::api::printers

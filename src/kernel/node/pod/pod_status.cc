#include "kernel/node/pod/pod_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/controller/conditions.h"
#include "kernel/node/pod/resources.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;
using Role = ContainerSpec::Role;

std::string container_id(const std::string& id) {
  return id.empty() ? std::string() : "atoll://" + id;
}

json::Value terminated(const Termination& t) {
  json::Object out{{"exitCode", t.code}, {"reason", t.reason}, {"finishedAt", rfc3339(t.finished)}};
  if (t.started != WallTime{}) out["startedAt"] = rfc3339(t.started);
  if (t.signal != 0) out["signal"] = t.signal;
  if (!t.message.empty()) out["message"] = t.message;
  if (!t.id.empty()) out["containerID"] = container_id(t.id);
  return json::Object{{"terminated", std::move(out)}};
}

json::Value waiting(std::string_view reason, const std::string& message) {
  json::Object out{{"reason", reason}};
  if (!message.empty()) out["message"] = message;
  return json::Object{{"waiting", std::move(out)}};
}

struct Builder {
  const PodSpec& pod;
  const PodState& state;
  const StatusFacts& facts;
  PodPhase phase;

  bool over() const {
    return phase == PodPhase::kSucceeded || phase == PodPhase::kFailed || pod.deleting;
  }

  json::Value state_of(const ContainerSpec& spec, const ContainerState& c, bool& shows_exit) const {
    if (c.phase == Phase::kRunning || c.phase == Phase::kStopping) {
      return json::Object{{"running", json::Object{{"startedAt", rfc3339(c.started)}}}};
    }
    // An ended run is the state until the next one is under way or waits for its turn.
    const bool waits = !c.waiting_reason.empty() && !over();
    if (c.exited && !waits && c.phase == Phase::kExited) {
      shows_exit = true;
      return terminated(*c.exited);
    }
    if (!c.waiting_reason.empty()) return waiting(c.waiting_reason, c.waiting_message);
    const bool before_turn =
        spec.role == Role::kMain ? !initialized(pod, state) : c.attempt < 0 && state.network_ready;
    return waiting(before_turn ? "PodInitializing" : "ContainerCreating", {});
  }

  json::Value container(const ContainerSpec& spec) const {
    const ContainerState& c = state.at(spec.name);
    bool shows_exit = false;
    json::Value now = state_of(spec, c, shows_exit);
    const Termination* last = !shows_exit && c.exited ? &*c.exited : c.last ? &*c.last : nullptr;
    const bool running = c.phase == Phase::kRunning || c.phase == Phase::kStopping;
    const bool done_init =
        spec.role == Role::kInit && c.phase == Phase::kExited && c.exited && c.exited->code == 0;
    json::Object out{{"name", spec.name},
                     {"state", std::move(now)},
                     {"lastState", last ? terminated(*last) : json::Value(json::Object{})},
                     {"ready", spec.role == Role::kInit ? done_init : running && c.ready},
                     {"restartCount", c.restarts},
                     {"image", c.image.empty() ? spec.image : c.image},
                     {"imageID", c.image_id},
                     {"started", spec.role == Role::kInit ? false : running && c.startup_passed}};
    if (!c.id.empty()) out["containerID"] = container_id(c.id);
    return out;
  }

  json::Array containers(bool init) const {
    json::Array out;
    for (const ContainerSpec& spec : pod.containers) {
      if ((spec.role != Role::kMain) == init) out.push_back(container(spec));
    }
    return out;
  }

  std::vector<std::string> unready() const {
    std::vector<std::string> out;
    for (const ContainerSpec& spec : pod.containers) {
      const ContainerState& c = state.at(spec.name);
      if (spec.role != Role::kInit && !(c.phase == Phase::kRunning && c.ready))
        out.push_back(spec.name);
    }
    return out;
  }

  std::vector<std::string> uninitialized() const {
    std::vector<std::string> out;
    for (const ContainerSpec& spec : pod.containers) {
      const ContainerState& c = state.at(spec.name);
      const bool done =
          spec.role == Role::kInit ? c.exited && c.exited->code == 0 : c.startup_passed;
      if (spec.role != Role::kMain && !done) out.push_back(spec.name);
    }
    return out;
  }

  static std::string joined(const std::vector<std::string>& names) {
    return fmt::format("[{}]", fmt::join(names, " "));
  }

  void set_ready_conditions(json::Array& conditions, const json::Array& before) const {
    std::vector<std::string> not_ready = unready();
    api::Condition containers{"ContainersReady", "True", "", ""};
    if (phase == PodPhase::kSucceeded) {
      containers = {"ContainersReady", "False", "PodCompleted", ""};
    } else if (phase == PodPhase::kFailed) {
      containers = {"ContainersReady", "False", "PodFailed", ""};
    } else if (!not_ready.empty()) {
      containers = {"ContainersReady", "False", "ContainersNotReady",
                    "containers with unready status: " + joined(not_ready)};
    }
    api::Condition ready = containers;
    ready.type = "Ready";
    for (const json::Value& gate : json::array_at(pod.doc, {"spec", "readinessGates"})) {
      const std::string type(json::string_at(gate, {"conditionType"}));
      if (ready.status == "True" && !api::condition_is(before, type, "True")) {
        ready = {"Ready", "False", "ReadinessGatesNotReady",
                 fmt::format("the status of pod readiness gate \"{}\" is not \"True\", but False",
                             type)};
      }
    }
    api::set_condition(conditions, ready, facts.now);
    api::set_condition(conditions, containers, facts.now);
  }

  json::Array conditions(const json::Array& before) const {
    json::Array out = before;
    api::set_condition(
        out, {"PodReadyToStartContainers", state.network_ready ? "True" : "False", "", ""},
        facts.now);
    api::Condition init{"Initialized", "True", phase == PodPhase::kSucceeded ? "PodCompleted" : "",
                        ""};
    if (!initialized(pod, state)) {
      init = {"Initialized", "False", "ContainersNotInitialized",
              "containers with incomplete status: " + joined(uninitialized())};
    }
    api::set_condition(out, init, facts.now);
    set_ready_conditions(out, before);
    if (!api::find_condition(out, "PodScheduled")) {
      api::set_condition(out, {"PodScheduled", "True", "", ""}, facts.now);
    }
    return out;
  }
};

}  // namespace

json::Value pod_status(const PodSpec& pod, const PodState& state, const StatusFacts& facts,
                       const json::Value& before) {
  const Builder b{pod, state, facts, phase_of(pod, state)};
  json::Object out;
  out["phase"] = text(b.phase);
  out["conditions"] = b.conditions(json::array_at(before, {"conditions"}));
  out["containerStatuses"] = b.containers(false);
  json::Array inits = b.containers(true);
  if (!inits.empty()) out["initContainerStatuses"] = std::move(inits);
  out["qosClass"] = qos_class(pod);
  out["hostIP"] = facts.host_ip;
  out["hostIPs"] = json::Array{json::Object{{"ip", facts.host_ip}}};
  const std::string ip = pod.host_network ? facts.host_ip : state.ip;
  if (!ip.empty() && (state.network_ready || state.torn_down)) {
    out["podIP"] = ip;
    out["podIPs"] = json::Array{json::Object{{"ip", ip}}};
  }
  if (state.start_time != WallTime{}) out["startTime"] = rfc3339(state.start_time);
  if (pod.generation > 0) out["observedGeneration"] = pod.generation;
  const bool failed = b.phase == PodPhase::kFailed;
  if (failed && !state.failure_reason.empty()) out["reason"] = state.failure_reason;
  if (failed && !state.failure_message.empty()) out["message"] = state.failure_message;
  return out;
}

json::Array newest_conditions(const json::Array& server, const json::Array& written) {
  json::Array out = server;
  for (const json::Value& condition : written) {
    const std::string_view type = json::string_at(condition, {"type"});
    const bool ours = type == "Ready" || type == "ContainersReady" || type == "Initialized" ||
                      type == "PodReadyToStartContainers";
    const auto there = std::find_if(out.begin(), out.end(), [&](const json::Value& c) {
      return json::string_at(c, {"type"}) == type;
    });
    if (there == out.end())
      out.push_back(condition);
    else if (ours)
      *there = condition;
  }
  return out;
}

json::Value status_patch(const json::Value& before, const json::Value& after) {
  json::Object patch;
  for (const auto& [key, value] : after.as_object()) {
    const json::Value* old = json::find(before, {key});
    if (!old || !json::equal(*old, value)) patch[key] = value;
  }
  for (const std::string_view ours : {"reason", "message", "podIP", "podIPs"}) {
    if (json::find(before, {ours}) && !json::find(after, {ours})) patch[ours] = nullptr;
  }
  if (patch.empty()) return nullptr;
  return patch;
}

}  // namespace atl::node

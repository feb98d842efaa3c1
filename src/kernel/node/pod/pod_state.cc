#include "kernel/node/pod/pod_state.h"

#include <algorithm>

namespace atl::node {
namespace {

constexpr Duration kFirst = std::chrono::seconds(10);
constexpr Duration kMost = std::chrono::minutes(5);

int64_t ns(WallTime t) {
  return t.time_since_epoch().count();
}
WallTime wall(const json::Value& v, std::string_view field) {
  return WallTime(std::chrono::nanoseconds(json::int_at(v, {field})));
}

json::Value to_json(const Termination& t) {
  return json::Object{{"code", t.code},
                      {"signal", t.signal},
                      {"reason", t.reason},
                      {"message", t.message},
                      {"started", ns(t.started)},
                      {"finished", ns(t.finished)},
                      {"id", t.id}};
}

std::optional<Termination> termination_from(const json::Value* v) {
  if (!v) return std::nullopt;
  Termination t;
  t.code = int(json::int_at(*v, {"code"}));
  t.signal = int(json::int_at(*v, {"signal"}));
  t.reason = json::string_at(*v, {"reason"});
  t.message = json::string_at(*v, {"message"});
  t.started = wall(*v, "started");
  t.finished = wall(*v, "finished");
  t.id = json::string_at(*v, {"id"});
  return t;
}

json::Value to_json(const ContainerState& c) {
  json::Object out{{"phase", int(c.phase)},
                   {"attempt", c.attempt},
                   {"restarts", c.restarts},
                   {"id", c.id},
                   {"image", c.image},
                   {"imageId", c.image_id},
                   {"started", ns(c.started)},
                   {"waitingReason", c.waiting_reason},
                   {"waitingMessage", c.waiting_message},
                   {"retryAt", ns(c.retry_at)},
                   {"crashes", c.crashes},
                   {"pullFailures", c.pull_failures},
                   {"startupPassed", c.startup_passed},
                   {"ready", c.ready}};
  if (c.exited) out["exited"] = to_json(*c.exited);
  if (c.last) out["last"] = to_json(*c.last);
  return out;
}

ContainerState container_from(const json::Value& v) {
  ContainerState c;
  c.phase = ContainerState::Phase(std::clamp<int64_t>(json::int_at(v, {"phase"}), 0, 5));
  c.attempt = int(json::int_at(v, {"attempt"}, -1));
  c.restarts = int(json::int_at(v, {"restarts"}));
  c.id = json::string_at(v, {"id"});
  c.image = json::string_at(v, {"image"});
  c.image_id = json::string_at(v, {"imageId"});
  c.started = wall(v, "started");
  c.waiting_reason = json::string_at(v, {"waitingReason"});
  c.waiting_message = json::string_at(v, {"waitingMessage"});
  c.retry_at = wall(v, "retryAt");
  c.crashes = int(json::int_at(v, {"crashes"}));
  c.pull_failures = int(json::int_at(v, {"pullFailures"}));
  c.startup_passed = json::bool_at(v, {"startupPassed"});
  c.ready = json::bool_at(v, {"ready"});
  c.exited = termination_from(json::find(v, {"exited"}));
  c.last = termination_from(json::find(v, {"last"}));
  return c;
}

Duration doubled(int times) {
  return times >= 6 ? kMost : std::min<Duration>(kMost, kFirst * (1 << times));
}

}  // namespace

void ContainerState::wait(std::string reason, std::string message, WallTime until) {
  phase = exited ? Phase::kExited : Phase::kNone;
  waiting_reason = std::move(reason);
  waiting_message = std::move(message);
  retry_at = until;
}

const ContainerState& PodState::at(std::string_view container) const {
  static const ContainerState none;
  const auto it = containers.find(container);
  return it == containers.end() ? none : it->second;
}

json::Value to_json(const PodState& state) {
  json::Object containers;
  for (const auto& [name, c] : state.containers) containers[name] = to_json(c);
  return json::Object{
      {"startTime", ns(state.start_time)},     {"ip", state.ip},
      {"networkReady", state.network_ready},   {"tornDown", state.torn_down},
      {"failureReason", state.failure_reason}, {"failureMessage", state.failure_message},
      {"containers", std::move(containers)}};
}

std::optional<PodState> pod_state_from(const json::Value& v) {
  if (!v.is_object()) return std::nullopt;
  PodState state;
  state.start_time = wall(v, "startTime");
  state.ip = json::string_at(v, {"ip"});
  state.network_ready = json::bool_at(v, {"networkReady"});
  state.torn_down = json::bool_at(v, {"tornDown"});
  state.failure_reason = json::string_at(v, {"failureReason"});
  state.failure_message = json::string_at(v, {"failureMessage"});
  for (const auto& [name, c] : json::object_at(v, {"containers"})) {
    state.containers[std::string(name)] = container_from(c);
  }
  return state;
}

Duration crash_backoff(int crashes) {
  return crashes <= 1 ? Duration::zero() : doubled(crashes - 2);
}
Duration pull_backoff(int failures) {
  return failures <= 0 ? Duration::zero() : doubled(failures - 1);
}

}  // namespace atl::node

// What a new agent knows of a pod that the one before it ran: from its files, from the keeper, and
// where a file is missing from the API's status.
#include <cstdlib>

#include "base/io/quick_file.h"
#include "kernel/node/pod/pod_worker.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

}  // namespace

bool PodWorker::recover() {
  auto text = io::read_replaced(run_folder() + "/state.json");
  if (!text) return false;
  auto value = json::parse(*text);
  auto state = value ? pod_state_from(*value) : std::nullopt;
  if (!state) return false;
  state_ = *std::move(state);
  last_saved_ = *text;
  // Volumes are made again from the API's objects: cheap, and they may have changed meanwhile.
  for (auto& [name, c] : state_.containers) {
    if (c.phase == Phase::kStarting || c.phase == Phase::kPulling)
      c.phase = c.exited ? Phase::kExited : Phase::kNone;
    if (c.phase == Phase::kStopping) c.phase = Phase::kRunning;
  }
  return true;
}

void PodWorker::recover_from_status() {
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    for (const json::Value& status : json::array_at(spec_->doc, {"status", list})) {
      const std::string_view id = json::string_at(status, {"containerID"});
      const std::string_view own = "atoll://";
      const size_t bar = id.rfind('_');
      if (!id.starts_with(own) || bar == std::string_view::npos) continue;
      const std::string name(json::string_at(status, {"name"}));
      ContainerState& c = state_.of(name);
      c.id = id.substr(own.size());
      c.attempt = std::atoi(std::string(id.substr(bar + 1)).c_str());
      c.restarts = int(json::int_at(status, {"restartCount"}));
      c.image = json::string_at(status, {"image"});
      c.image_id = json::string_at(status, {"imageID"});
      c.phase = Phase::kRunning;
      c.ready = json::bool_at(status, {"ready"});
      c.startup_passed = json::bool_at(status, {"started"});
      const json::Value* ended = json::find(status, {"state", "terminated"});
      if (!ended) continue;
      c.phase = Phase::kExited;
      c.exited = Termination{
          .code = int(json::int_at(*ended, {"exitCode"})),
          .signal = int(json::int_at(*ended, {"signal"})),
          .reason = std::string(json::string_at(*ended, {"reason"})),
          .message = std::string(json::string_at(*ended, {"message"})),
          .started = parse_rfc3339(json::string_at(*ended, {"startedAt"})).value_or(WallTime{}),
          .finished = parse_rfc3339(json::string_at(*ended, {"finishedAt"})).value_or(WallTime{}),
          .id = c.id};
    }
  }
}

void PodWorker::recover_without_state() {
  recover_from_status();
  state_.network_ready = !state_.ip.empty();
}

// The container of the pod's whose newest attempt this is, or a newer one than is on record.
const ContainerSpec* PodWorker::spec_of_live(const LiveContainer& live) const {
  for (const ContainerSpec& spec : spec_->containers) {
    const std::string begin = spec_->uid + "_" + spec.name + "_";
    if (!live.id.starts_with(begin)) continue;
    const int attempt = std::atoi(live.id.c_str() + begin.size());
    if (id_of(spec.name, attempt) == live.id && attempt >= state_.at(spec.name).attempt)
      return &spec;
  }
  return nullptr;
}

void PodWorker::adopt(LiveContainer live) {
  if (const ContainerSpec* const found = spec_of_live(live)) {
    const ContainerSpec& spec = *found;
    ContainerState& c = state_.of(spec.name);
    const int attempt = std::atoi(live.id.c_str() + live.id.rfind('_') + 1);
    const bool on_record = attempt == c.attempt;
    if (!on_record && c.attempt >= 0) {  // the one on record has ended since
      if (c.exited) c.last = std::move(c.exited);
      c.exited.reset();
      ++c.restarts;
    }
    c.attempt = attempt;
    c.id = live.id;
    if (live.state == RunState::kCreated) {
      // The agent died between create and start: nothing of it has run.
      spawn("remove unstarted", [this, id = live.id]() -> Async<void> {
        (void)co_await context_.runtime.remove(id);
        (void)co_await context_.images.release(id);
      });
      if (!c.exited) c.phase = Phase::kNone;
      return;
    }
    const ExitStatus exit = live.exit;
    const bool ended = live.state == RunState::kExited;
    const bool was_ready = c.ready;
    const bool was_started = c.startup_passed;
    c.phase = Phase::kRunning;
    begin_run(spec.name, std::move(live));
    if (on_record) c.ready = was_ready, c.startup_passed = was_started;
    if (ended) record_exit(spec.name, exit);
    return;
  }
  // Of an older attempt: its end was recorded, only the removal is missing.
  spawn("remove old", [this, id = live.id]() -> Async<void> {
    (void)co_await context_.runtime.remove(id);
    (void)co_await context_.images.release(id);
  });
}

void PodWorker::settle_recovery() {
  for (auto& [name, c] : state_.containers) {
    if (c.phase != Phase::kRunning || runs_.contains(name)) continue;
    c.phase = Phase::kExited;
    c.exited =
        Termination{.code = 137,
                    .reason = "ContainerStatusUnknown",
                    .message = "The container could not be located when the node started again",
                    .started = c.started,
                    .finished = context_.timer().now(),
                    .id = c.id};
    c.ready = false;
    spawn("release",
          [this, id = c.id]() -> Async<void> { (void)co_await context_.images.release(id); });
  }
}

}  // namespace atl::node

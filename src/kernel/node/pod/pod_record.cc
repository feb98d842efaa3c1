#include "kernel/node/pod/pod_record.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/io/quick_file.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kStatusSaved = std::chrono::seconds(1);

bool same_but_for_status(const json::Value& a, const json::Value& b) {
  for (const char* part : {"spec", "metadata"}) {
    const json::Object& one = json::object_at(a, {part});
    const json::Object& other = json::object_at(b, {part});
    if (one.size() != other.size()) return false;
    for (const auto& [key, value] : one) {
      if (key == "resourceVersion" || key == "managedFields") continue;
      const json::Value* same = other.if_contains(key);
      if (!same || !json::equal(value, *same)) return false;
    }
  }
  return true;
}

}  // namespace

PodRecord::PodRecord(PodContext& context, PodSpecPtr spec)
    : context_(context), spec_(std::move(spec)) {
  const auto at = parse_rfc3339(json::string_at(spec_->doc, {"status", "startTime"}));
  state_.start_time = at.value_or(context_.timer().now());
  state_.ip = json::string_at(spec_->doc, {"status", "podIP"});
}

std::string PodRecord::id_of(const std::string& container, int attempt) const {
  return fmt::format("{}_{}_{}", spec_->uid, container, attempt);
}

std::string PodRecord::bundle_of(const std::string& container, int attempt) const {
  return fmt::format("{}/containers/{}_{}", run_folder(), container, attempt);
}

std::string PodRecord::scratch_of(const std::string& container, int attempt) const {
  return fmt::format("{}/containers/{}_{}", folder(), container, attempt);
}

std::string PodRecord::log_of(const std::string& container, int attempt) const {
  return fmt::format("{}/logs/{}/{}.log", folder(), container, attempt);
}

std::string PodRecord::pod_ip() const {
  return spec_->host_network ? context_.network.node_address() : state_.ip;
}

PodFacts PodRecord::facts() const {
  return {pod_ip(), context_.network.node_address(), context_.node_name, context_.node_milli_cpu,
          context_.node_memory_bytes};
}

Result<> PodRecord::on_record() {
  if (!saved_spec_) TRY_OK(save_spec());
  return save();
}

Result<> PodRecord::save() {
  const std::string text = json::serialize(to_json(state_));
  if (text == last_saved_) return Unit{};
  auto kept = io::replace_quickly(run_folder() + "/state.json", text, 0600);
  if (!kept) return std::move(kept).error().during("keep the pod's state");
  last_saved_ = text;
  return Unit{};
}

// Each status that we write comes back as a new object, of which the file needs the newest only.
Result<> PodRecord::save_spec() {
  if (saved_spec_ == spec_) return Unit{};
  const MonoTime now = context_.timer().monotonic();
  if (saved_spec_ && same_but_for_status(saved_spec_->doc, spec_->doc)) {
    if (spec_save_ == MonoTime{}) spec_save_ = now + kStatusSaved;
    if (now < spec_save_) return Unit{};
  }
  spec_save_ = {};
  auto kept = io::replace_quickly(run_folder() + "/pod.json", json::serialize(spec_->doc), 0600);
  if (!kept) return std::move(kept).error().during("keep the pod");
  saved_spec_ = spec_;
  return Unit{};
}

bool PodRecord::recover() {
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

void PodRecord::recover_from_status() {
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

void PodRecord::recover_without_state() {
  recover_from_status();
  state_.network_ready = !state_.ip.empty();
}

}  // namespace atl::node

#include "kernel/node/pod/pod_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/io/files.h"
#include "base/io/quick_file.h"
#include "base/observe/log.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/pod_status.h"
#include "kernel/node/pod/resources.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kGoneGrace = std::chrono::seconds(1);
constexpr Duration kSafetyNet = std::chrono::minutes(5);
constexpr Duration kApiRetry = std::chrono::seconds(1);
constexpr Duration kDrainLimit = std::chrono::seconds(2);
constexpr Duration kStatusSaved = std::chrono::seconds(1);
constexpr Duration kAttachExpected = std::chrono::milliseconds(10);
constexpr Duration kPassing = std::chrono::milliseconds(100);
constexpr Duration kNetworkRetryMost = std::chrono::seconds(30);
const api::Gvr kPods{"", "v1", "pods"};

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

PodWorker::PodWorker(PodContext& context, PodSpecPtr spec)
    : context_(context),
      spec_(std::move(spec)),
      volumes_(context.pod_folder(spec_->uid), context.pod_run_folder(spec_->uid)),
      last_written_(json::object_at(spec_->doc, {"status"})),
      tasks_(context.seams.executor) {
  const auto at = parse_rfc3339(json::string_at(spec_->doc, {"status", "startTime"}));
  state_.start_time = at.value_or(context_.timer().now());
  state_.ip = json::string_at(spec_->doc, {"status", "podIP"});
}

PodWorker::~PodWorker() = default;

void PodWorker::mark_over() {
  over_ = true;
  state_.torn_down = true;
}

void PodWorker::start() {
  spawn("pod " + spec_->key(), [this] { return loop(); });
  spawn("status " + spec_->key(), [this] { return report(); });
  spawn("volumes " + spec_->key(), [this] { return refresh_volumes(); });
}

Async<void> PodWorker::stop() {
  co_await tasks_.stop();
  for (auto& [name, run] : runs_) co_await run->tasks.stop();
}

void PodWorker::poke() {
  poked_ = true;
  news_.notify();
}

void PodWorker::update(PodSpecPtr spec) {
  spec_ = std::move(spec);
  // The server's word counts, not our memory of it: it may come from a backup, or somebody wrote.
  if (spec_->revision > written_revision_) {
    if (!reporting_) last_written_ = json::object_at(spec_->doc, {"status"});
    told_while_reporting_ = reporting_;
  }
  poke();
}

void PodWorker::remove_now() {
  removed_ = true;
  if (!spec_->deleting) {
    auto gone = std::make_shared<PodSpec>(*spec_);
    gone->deleting = context_.timer().now();
    gone->grace = std::min<Duration>(gone->grace, kGoneGrace);
    spec_ = gone;
  }
  poke();
}

void PodWorker::note(api::EventLevel level, std::string reason, std::string message) {
  notes_.push_back({level, std::move(reason), std::move(message)});
  status_changed();
}

void PodWorker::tell_notes() {
  if (notes_.empty()) return;
  auto object = api::Object::from_document(spec_->doc, Revision{});
  for (Note& n : notes_) {
    if (object) context_.events.note(**object, n.level, std::move(n.reason), std::move(n.message));
  }
  notes_.clear();
}

std::string PodWorker::id_of(const std::string& container, int attempt) const {
  return fmt::format("{}_{}_{}", spec_->uid, container, attempt);
}
std::string PodWorker::bundle_of(const std::string& container, int attempt) const {
  return fmt::format("{}/containers/{}_{}", run_folder(), container, attempt);
}
std::string PodWorker::scratch_of(const std::string& container, int attempt) const {
  return fmt::format("{}/containers/{}_{}", folder(), container, attempt);
}
std::string PodWorker::log_of(const std::string& container, int attempt) const {
  return fmt::format("{}/logs/{}/{}.log", folder(), container, attempt);
}
PodWorker::RunPtr PodWorker::run_of(const std::string& container) const {
  const auto it = runs_.find(container);
  return it == runs_.end() ? nullptr : it->second;
}

std::vector<std::string> PodWorker::container_ids() const {
  std::vector<std::string> out;
  for (const auto& [name, c] : state_.containers) {
    if (!c.id.empty()) out.push_back(c.id);
  }
  return out;
}

std::string PodWorker::pod_ip() const {
  return spec_->host_network ? context_.network.node_address() : state_.ip;
}

Result<> PodWorker::on_record() {
  if (!saved_spec_) TRY_OK(save_spec());
  return save();
}

Result<> PodWorker::save() {
  const std::string text = json::serialize(to_json(state_));
  if (text == last_saved_) return Unit{};
  auto kept = io::replace_quickly(run_folder() + "/state.json", text, 0600);
  if (!kept) return std::move(kept).error().during("keep the pod's state");
  last_saved_ = text;
  return Unit{};
}

// Each status that we write comes back as a new object, of which the file needs the newest only.
Result<> PodWorker::save_spec() {
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

Async<void> PodWorker::loop() {
  (void)io::make_folders(run_folder(), 0755);
  while (!finished_ && !tasks_.stopping()) {
    poked_ = false;
    co_await step();
    if (finished_) break;
    const PodPlan plan = plan_pod(*spec_, state_, context_.timer().now());
    Duration wait = kSafetyNet;
    if (plan.look_again) wait = std::min<Duration>(wait, *plan.look_again - context_.timer().now());
    if (plan.needs_network)
      wait = std::min<Duration>(wait, network_retry_ - context_.timer().now());
    if (spec_save_ != MonoTime{})
      wait = std::min<Duration>(wait, spec_save_ - context_.timer().monotonic());
    if (!poked_ && wait > Duration::zero()) co_await news_.wait_for(context_.timer(), wait);
  }
  if (finished_ && on_finished_) on_finished_();
}

Async<void> PodWorker::step() {
  auto kept = save_spec();
  if (!kept) log::warn("a pod is not kept", {{"pod", spec_->key()}, {"error", kept.error()}});
  restart_changed();
  PodPlan plan = plan_pod(*spec_, state_, context_.timer().now());
  if (plan.fail_deadline) {
    fail_pod("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
    note(api::EventLevel::kNormal, "DeadlineExceeded",
         "Pod was active on the node longer than the specified deadline");
    plan = plan_pod(*spec_, state_, context_.timer().now());
  }
  if (plan.needs_network && network_retry_ <= context_.timer().now()) {
    prepare_start();
    auto ready = co_await set_up_network();
    if (!ready) {
      ++network_failures_;
      const Duration pause = std::min<Duration>(
          kNetworkRetryMost, std::chrono::seconds(1 << std::min(network_failures_, 5)));
      network_retry_ = context_.timer().now() + pause;
      note(api::EventLevel::kWarning, "FailedCreatePodSandBox",
           "Failed to create pod sandbox: " + ready.error().message());
    }
  }
  if (spec_->deleting && !spec_->host_network && state_.network_ready && !drained_) {
    // New connections stop before the containers hear of it: a rolling update drops no request.
    (void)co_await context_.network.drain(spec_->uid, kDrainLimit);
    drained_ = true;
  }
  carry_out(plan_pod(*spec_, state_, context_.timer().now()));
  if (plan_pod(*spec_, state_, context_.timer().now()).tear_down && !cleaning()) {
    co_await tear_down();
  }
  kept = save();
  if (!kept) log::warn("a pod is not kept", {{"pod", spec_->key()}, {"error", kept.error()}});
  status_changed();
  if (spec_->deleting && state_.torn_down) {
    // The last word first: controllers read from it how the pod ended.
    while ((status_due_ || reporting_) && !removed_ && !tasks_.stopping())
      co_await status_news_.wait();
    auto gone = co_await delete_from_api();
    if (gone) {
      co_await forget();
    } else {
      log::warn("pod cannot be deleted from the API yet",
                {{"pod", spec_->key()}, {"error", gone.error()}});
      co_await news_.wait_for(context_.timer(), kApiRetry);
      poked_ = true;
    }
  }
}

void PodWorker::carry_out(const PodPlan& plan) {
  for (const StopOrder& order : plan.stop) {
    const RunPtr run = run_of(order.container);
    if (!run) continue;
    state_.of(order.container).phase = Phase::kStopping;
    spawn("stop " + order.container,
          [this, order, run] { return stop_container(order.container, run, order.reason); });
  }
  if (plan.needs_network) return;
  for (const std::string& name : plan.start) {
    const RunPtr before = run_of(name);
    if (before && !before->cleaned) continue;  // the end of the last run pokes us
    state_.of(name).phase = Phase::kStarting;
    spawn("start " + name, [this, name] { return start_container(name); });
  }
}

void PodWorker::fail_pod(std::string reason, std::string message) {
  state_.failure_reason = std::move(reason);
  state_.failure_message = std::move(message);
}

network::PodRef PodWorker::network_ref() const {
  network::PodRef ref{spec_->uid, spec_->ns, spec_->name, {}};
  for (const ContainerSpec& c : spec_->containers) {
    for (const json::Value& port : json::array_at(c.doc, {"ports"})) {
      const int64_t host = json::int_at(port, {"hostPort"});
      if (host <= 0) continue;
      const bool udp = json::string_at(port, {"protocol"}) == "UDP";
      ref.host_ports.push_back(
          {udp ? network::HostPort::Protocol::kUdp : network::HostPort::Protocol::kTcp,
           uint16_t(host), uint16_t(json::int_at(port, {"containerPort"}))});
    }
  }
  return ref;
}

bool PodWorker::knows(const std::string& id) const {
  if (by_id_.contains(id)) return true;
  return std::any_of(state_.containers.begin(), state_.containers.end(),
                     [&](const auto& entry) { return entry.second.id == id; });
}

// The image of a running container is the one field of it that a pod's owner may change.
void PodWorker::restart_changed() {
  if (spec_->deleting) return;
  for (const auto& [name, run] : runs_) {
    const ContainerSpec* spec = spec_->find(name);
    if (!spec || run->exited || spec->image == json::string_at(run->container, {"image"})) continue;
    condemn(name, run, "Container " + name + " definition changed, will be restarted",
            std::nullopt);
  }
}

// What a start needs besides the network, at the same time as it. What fails here is tried again,
// and told, when the containers' turn comes.
void PodWorker::prepare_start() {
  spawn("prepare volumes", [this]() -> Async<void> { (void)co_await set_up_volumes(); });
  expect_attach();
}

void PodWorker::expect_attach() {
  const MonoTime now = context_.timer().monotonic();
  if (!context_.cgroups || now - context_.attach_expected < kAttachExpected) return;
  context_.attach_expected = now;
  spawn("prepare cgroups", [this]() -> Async<void> {
    co_await context_.offload.run([cgroups = context_.cgroups] {
      cgroups->expect_attach();
      return 0;
    });
  });
}

Task<> PodWorker::set_up_network() {
  if (spec_->host_network) {
    state_.network_ready = true;
    co_return Unit{};
  }
  CO_TRY(network::Attachment attachment, co_await context_.network.attach(network_ref()));
  CO_TRY_OK(co_await context_.runtime.hold(spec_->uid, attachment.netns.get()));
  state_.ip = attachment.ip;
  state_.network_ready = true;
  network_failures_ = 0;
  co_return Unit{};
}

bool PodWorker::cleaning() const {
  return std::any_of(runs_.begin(), runs_.end(),
                     [](const auto& entry) { return !entry.second->cleaned; });
}

Async<void> PodWorker::tear_down() {
  while (volumes_busy_) {
    const bool woken = co_await volumes_done_.wait();
    if (!woken) co_return;
  }
  // The kernel takes its time to delete a link: nobody waits for it but our own end.
  if (!spec_->host_network) {
    detaching_ = true;
    spawn("detach", [this] { return detach_network(); });
  }
  PodVolumes volumes = volumes_;
  auto cleared = co_await context_.offload.run([volumes]() mutable { return volumes.tear_down(); });
  if (!cleared)
    log::warn("volumes of a pod are not gone", {{"pod", spec_->key()}, {"error", cleared.error()}});
  if (context_.cgroups) {
    auto removed = co_await context_.offload.run(
        [cgroups = context_.cgroups, uid = spec_->uid] { return cgroups->remove_pod(uid); });
    if (!removed)
      log::warn("cgroups of a pod are not gone",
                {{"pod", spec_->key()}, {"error", removed.error()}});
  }
  state_.network_ready = false;
  state_.torn_down = true;
}

Async<void> PodWorker::detach_network() {
  (void)co_await context_.network.detach(spec_->uid);
  (void)co_await context_.runtime.drop(spec_->uid);
  detaching_ = false;
  detached_.notify();
}

Task<> PodWorker::write_status() {
  if (removed_ || over_) co_return Unit{};
  const json::Value before = last_written_.is_null() ? json::Value(json::Object{}) : last_written_;
  json::Value base = json::object_at(spec_->doc, {"status"});
  json::set(base, {"conditions"},
            newest_conditions(json::array_at(base, {"conditions"}),
                              json::array_at(before, {"conditions"})));
  const json::Value after =
      pod_status(*spec_, state_, {context_.network.node_address(), context_.timer().now()}, base);
  json::Value patch = status_patch(before, after);
  if (patch.is_null()) co_return Unit{};
  json::Object document{{"metadata", json::Object{{"uid", spec_->uid}}},
                        {"status", std::move(patch)}};
  api::PatchOptions options;
  options.subresource = "status";
  auto written = co_await context_.client.patch(
      kPods, {spec_->ns, spec_->name}, api::PatchType::kMerge, std::move(document), options);
  if (written) {
    last_written_ = json::object_at((*written)->parse(), {"status"});
    written_revision_ = (*written)->revision();
    co_return Unit{};
  }
  // Gone, or another pod of this name: the watch tells which.
  const Code code = written.error().code();
  if (code == Code::kNotFound) remove_now();
  if (code == Code::kNotFound || code == Code::kConflict) co_return Unit{};
  co_return std::move(written).error();
}

void PodWorker::status_changed() {
  if (!status_due_) status_due_since_ = context_.timer().monotonic();
  status_due_ = true;
  status_news_.notify();
}

// In a state that lasts milliseconds where all goes well: it is worth no write.
bool PodWorker::passing() const {
  if (spec_->deleting && !state_.torn_down) return true;
  for (const auto& [name, run] : runs_) {
    if (run->unstarted) return true;
  }
  return std::any_of(state_.containers.begin(), state_.containers.end(), [](const auto& entry) {
    const ContainerState& c = entry.second;
    return (c.phase == Phase::kStarting || c.phase == Phase::kPulling) && c.waiting_reason.empty();
  });
}

Async<void> PodWorker::report() {
  while (!tasks_.stopping()) {
    if (!status_due_) {
      co_await status_news_.wait();
      continue;
    }
    const Duration left = status_due_since_ + kPassing - context_.timer().monotonic();
    if (left > Duration::zero() && passing()) {
      co_await status_news_.wait_for(context_.timer(), left);
      continue;
    }
    status_due_ = false;
    reporting_ = true;
    auto written = co_await contained(write_status());
    reporting_ = false;
    tell_notes();
    // The patch was made against what the server had before: look at what it has now.
    if (std::exchange(told_while_reporting_, false)) status_due_ = true;
    if (!written) {
      log::warn("pod status cannot be written; trying again",
                {{"pod", spec_->key()}, {"error", written.error()}});
      status_due_ = true;
      const bool slept = co_await context_.timer().sleep_for(kApiRetry);
      if (!slept) co_return;
    }
    status_news_.notify();
  }
}

Task<> PodWorker::delete_from_api() {
  if (removed_) co_return Unit{};
  api::DeleteOptions options;
  options.grace_seconds = 0;
  options.uid = spec_->uid;
  auto gone = co_await context_.client.remove(kPods, {spec_->ns, spec_->name}, options);
  if (!gone && gone.error().code() != Code::kNotFound && gone.error().code() != Code::kConflict)
    co_return gone;
  co_return Unit{};
}

Async<void> PodWorker::forget() {
  while (detaching_) {
    const bool woken = co_await detached_.wait();
    if (!woken) co_return;
  }
  tell_notes();
  co_await context_.offload.run([path = folder(), run = run_folder()] {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
    std::filesystem::remove_all(run, ignored);
    return 0;
  });
  finished_ = true;
}

Result<PodWorker::Access> PodWorker::access(const std::string& container, bool previous) const {
  const ContainerSpec* spec = spec_->find(container);
  if (!spec) {
    return Error(Code::kNotFound,
                 fmt::format("container {} not found in pod {}", container, spec_->key()));
  }
  const ContainerState& c = state_.at(container);
  const int attempt = previous ? c.attempt - 1 : c.attempt;
  Access out;
  out.terminal = json::bool_at(spec->doc, {"tty"});
  if (attempt < 0) {
    if (previous) {
      return Error(Code::kBadRequest,
                   fmt::format("previous terminated container \"{}\" in pod \"{}\" not found",
                               container, spec_->name));
    }
    return Error(Code::kBadRequest,
                 fmt::format("container \"{}\" in pod \"{}\" is waiting to start: {}", container,
                             spec_->name,
                             c.waiting_reason.empty() ? "ContainerCreating" : c.waiting_reason));
  }
  out.id = id_of(container, attempt);
  out.bundle = bundle_of(container, attempt);
  out.started = c.started;
  out.log_file = log_of(container, attempt);
  const RunPtr run = run_of(container);
  if (!previous && run && run->id == out.id) {
    out.log = run->log;
    out.running = !run->exited;
    out.stdin_fd = run->stdin_pipe.get();
    out.terminal_fd = run->terminal.get();
  }
  return out;
}

void PodWorker::close_stdin(const std::string& container) {
  const RunPtr run = run_of(container);
  if (!run) return;
  run->stdin_pipe.reset();
  spawn("close stdin",
        [this, id = run->id]() -> Async<void> { (void)co_await context_.runtime.close_stdin(id); });
}

}  // namespace atl::node

#include "kernel/node/pod/container_starter.h"

#include <chrono>
#include <utility>

#include "base/observe/log.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/container_exit.h"

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr Duration kConfigRetry = std::chrono::seconds(2);

}  // namespace

ContainerStarter::ContainerStarter(StarterParts parts)
    : context_(parts.context),
      record_(parts.record),
      reporter_(parts.reporter),
      tasks_(parts.tasks),
      sandbox_(parts.sandbox),
      volumes_(parts.volumes),
      runs_(parts.runs),
      images_(context_, record_, reporter_, tasks_),
      planner_(context_, record_, sandbox_, volumes_) {}

void ContainerStarter::wait_with(const std::string& name, std::string reason, std::string message,
                                 Duration pause) {
  record_.state().of(name).wait(std::move(reason), std::move(message),
                                context_.timer().now() + pause);
}

Async<void> ContainerStarter::start(std::string name) {
  auto started = co_await contained(attempt(name));
  if (!started && started.error().code() == Code::kCancelled) co_return;
  ContainerState& c = record_.state().of(name);
  if (!started && (c.phase == Phase::kStarting || c.phase == Phase::kPulling)) {
    // A step that did not say itself how it failed.
    wait_with(name, "CreateContainerError", started.error().message(), kConfigRetry);
    reporter_.note_of(name, api::EventLevel::kWarning, "Failed",
                      "Error: " + started.error().message());
  }
  if (!started) {
    log::info("container not started", {{"pod", record_.spec().key()},
                                        {"container", name},
                                        {"reason", c.waiting_reason},
                                        {"error", started.error()}});
  }
  tasks_.poke();
}

Task<> ContainerStarter::attempt(std::string name) {
  const ContainerSpec spec = *record_.spec().find(name);
  auto volumes = co_await volumes_.set_up();
  if (!volumes) {
    wait_with(name, "ContainerCreating", {}, kConfigRetry);
    reporter_.note(api::EventLevel::kWarning, "FailedMount", volumes.error().message());
    co_return volumes;
  }
  record_.state().of(name).phase = Phase::kPulling;
  CO_TRY(const oci::Image image, co_await images_.pull(spec));
  // Meanwhile the pod may have been told to go; nobody waits for us then.
  if (record_.spec().deleting)
    co_return wait_with(name, {}, {}, Duration::zero()), Result<>(Unit{});
  ContainerState& c = record_.state().of(name);
  c.phase = Phase::kStarting;
  c.image = image.name.empty() ? spec.image : image.name;
  c.image_id = image.status_id();
  const int attempt = c.attempt + 1;
  const std::string id = record_.id_of(name, attempt);
  CO_TRY(const oci::LayerMounts layers, co_await context_.images.hold(image.id, id));
  auto plan = co_await planner_.plan(spec, image, layers.lower_dirs, attempt);
  if (!plan) {
    (void)co_await context_.images.release(id);
    wait_with(name, "CreateContainerConfigError", plan.error().message(), kConfigRetry);
    reporter_.note_of(name, api::EventLevel::kWarning, "Failed",
                      "Error: " + plan.error().message());
    co_return std::move(plan).error();
  }
  if (auto kept = put_on_record(name, attempt); !kept) {
    (void)co_await context_.images.release(id);
    co_return kept;
  }
  co_return co_await launch(spec, *std::move(plan), layers.lower_dirs);
}

// On record before it exists, so that whoever comes after us knows whose it is.
Result<> ContainerStarter::put_on_record(const std::string& name, int attempt) {
  ContainerState& c = record_.state().of(name);
  const ContainerState before = c;
  if (c.exited) {  // an attempt that never ran is no restart
    ++c.restarts;
    c.last = std::move(c.exited);
    c.exited.reset();
  }
  c.attempt = attempt;
  c.id = record_.id_of(name, attempt);
  auto kept = record_.on_record();
  if (!kept) c = before;
  return kept;
}

CreateRequest ContainerStarter::request_of(const ContainerSpec& spec, const ContainerPlan& plan,
                                           std::vector<std::string> layers) const {
  const int attempt = record_.state().at(spec.name).attempt;
  CreateRequest request;
  request.id = record_.id_of(spec.name, attempt);
  request.bundle = record_.bundle_of(spec.name, attempt);
  request.scratch = record_.scratch_of(spec.name, attempt);
  request.lower_dirs = std::move(layers);
  if (!context_.base_layer.empty()) request.lower_dirs.push_back(context_.base_layer);
  request.netns = record_.spec().host_network ? std::string() : record_.spec().uid;
  request.terminal = plan.terminal;
  request.with_stdin = json::bool_at(spec.doc, {"stdin"}) && !plan.terminal;
  request.spec = oci_spec(plan);
  return request;
}

Task<> ContainerStarter::launch(ContainerSpec spec, ContainerPlan plan,
                                std::vector<std::string> layers) {
  CreateRequest request = request_of(spec, plan, std::move(layers));
  const std::string id = request.id;
  tasks_.spawn("expect attach", [this] { return sandbox_.expect_attach(); });
  auto made = co_await context_.runtime.create(std::move(request));
  if (!made) {
    (void)co_await context_.images.release(id);
    start_failed(spec.name, made.error());
    co_return std::move(made).error();
  }
  reporter_.note_of(spec.name, api::EventLevel::kNormal, "Created",
                    "Created container: " + spec.name);
  co_return co_await begin(spec.name, *std::move(made));
}

// Its process exists and waits for the word to execute the command.
Task<> ContainerStarter::begin(std::string name, LiveContainer live) {
  const bool unwanted = record_.spec().deleting.has_value();
  // Pumps first: a short-lived container's output is read from the start.
  live.started = context_.timer().now();
  const ContainerRunPtr run = runs_.begin(name, std::move(live));
  Result<> started = Error(Code::kCancelled, "the pod is being deleted");
  run->unstarted = true;
  if (!unwanted) started = co_await context_.runtime.start(run->id);
  run->unstarted = false;
  if (!started) {
    if (runs_.find(name) == run && !run->exited) {
      run->exited = true;
      co_await runs_.clean_up(run);
      if (unwanted) {
        wait_with(name, {}, {}, Duration::zero());
      } else {
        start_failed(name, started.error());
      }
    }
    co_return started;
  }
  reporter_.note_of(name, api::EventLevel::kNormal, "Started", "Started container " + name);
  if (runs_.find(name) == run && !run->exited) co_await runs_.post_start(run);
  co_return Unit{};
}

void ContainerStarter::start_failed(const std::string& name, const Error& error) {
  note_start_failure(record_.state().of(name), error.message(), context_.timer().now());
  reporter_.note_of(name, api::EventLevel::kWarning, "Failed",
                    "Error: failed to start container "
                    " + name + "
                    ": " +
                        error.message());
}

}  // namespace atl::node

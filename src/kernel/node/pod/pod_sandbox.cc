#include "kernel/node/pod/pod_sandbox.h"

#include <algorithm>

#include "base/observe/log.h"
#include "kernel/node/pod/contained.h"
#include "kernel/node/pod/resources.h"

namespace atl::node {
namespace {

constexpr Duration kDrainLimit = std::chrono::seconds(2);
constexpr Duration kAttachExpected = std::chrono::milliseconds(10);
constexpr Duration kRetryMost = std::chrono::seconds(30);

}  // namespace

PodSandbox::PodSandbox(PodContext& context, PodRecord& record, PodReporter& reporter,
                       PodTasks& tasks)
    : context_(context), record_(record), reporter_(reporter), tasks_(tasks) {}

network::PodRef PodSandbox::network_ref() const {
  network::PodRef ref{record_.spec().uid, record_.spec().ns, record_.spec().name, {}};
  for (const ContainerSpec& c : record_.spec().containers) {
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

bool PodSandbox::network_due() const {
  return network_retry_ <= context_.timer().now();
}

Async<void> PodSandbox::make_network() {
  auto ready = co_await attach();
  if (ready) {
    network_failures_ = 0;
    co_return;
  }
  ++network_failures_;
  const Duration pause =
      std::min<Duration>(kRetryMost, std::chrono::seconds(1 << std::min(network_failures_, 5)));
  network_retry_ = context_.timer().now() + pause;
  reporter_.note(api::EventLevel::kWarning, "FailedCreatePodSandBox",
                 "Failed to create pod sandbox: " + ready.error().message());
}

Task<> PodSandbox::attach() {
  PodState& state = record_.state();
  if (record_.spec().host_network) {
    state.network_ready = true;
    co_return Unit{};
  }
  const std::string uid = record_.spec().uid;
  CO_TRY(network::Attachment attachment, co_await context_.network.attach(network_ref()));
  CO_TRY_OK(co_await context_.runtime.hold(uid, attachment.netns.get()));
  state.ip = attachment.ip;
  state.network_ready = true;
  co_return Unit{};
}

Async<void> PodSandbox::drain() {
  if (record_.spec().host_network || !record_.state().network_ready || drained_) co_return;
  (void)co_await context_.network.drain(record_.spec().uid, kDrainLimit);
  drained_ = true;
}

void PodSandbox::prepare_group() {
  if (!context_.cgroups) return;
  tasks_.spawn("prepare cgroups", [this]() -> Async<void> {
    // A failure is told when a container's turn comes, which tries again.
    (void)co_await make_group();
    co_await expect_attach();
  });
}

Async<void> PodSandbox::expect_attach() {
  const MonoTime now = context_.timer().monotonic();
  if (!context_.cgroups || now - context_.attach_expected < kAttachExpected) co_return;
  context_.attach_expected = now;
  co_await context_.offload.run([cgroups = context_.cgroups] {
    cgroups->expect_attach();
    return 0;
  });
}

Task<> PodSandbox::make_group() {
  while (making_group_) co_await group_done_.wait();
  if (group_made_ || !context_.cgroups) co_return Unit{};
  making_group_ = true;
  auto made = co_await contained(make_group_anew());
  group_made_ = made.has_value();
  making_group_ = false;
  group_done_.notify();
  co_return made;
}

Task<> PodSandbox::make_group_anew() {
  const PodResources all = pod_resources(record_.spec());
  const Cgroups::PodLimits limits{.memory_bytes = all.memory_limit.value_or(0),
                                  .cpu_shares = all.cpu_shares,
                                  .cpu_quota_us = all.cpu_quota_us.value_or(0),
                                  .cpu_period_us = all.cpu_period_us,
                                  .processes = context_.pod_processes};
  co_return co_await context_.offload.run([cgroups = context_.cgroups, uid = record_.spec().uid,
                                           limits] { return cgroups->make_pod(uid, limits); });
}

void PodSandbox::detach_network() {
  if (record_.spec().host_network) return;
  detaching_ = true;
  tasks_.spawn("detach", [this] { return detach(); });
}

Async<void> PodSandbox::remove_group() {
  if (!context_.cgroups) co_return;
  auto removed = co_await context_.offload.run(
      [cgroups = context_.cgroups, uid = record_.spec().uid] { return cgroups->remove_pod(uid); });
  if (!removed)
    log::warn("cgroups of a pod are not gone",
              {{"pod", record_.spec().key()}, {"error", removed.error()}});
}

Async<void> PodSandbox::detach() {
  const std::string uid = record_.spec().uid;
  (void)co_await context_.network.detach(uid);
  (void)co_await context_.runtime.drop(uid);
  detaching_ = false;
  detach_done_.notify();
}

Async<void> PodSandbox::detached() {
  while (detaching_) {
    const bool woken = co_await detach_done_.wait();
    if (!woken) co_return;
  }
}

}  // namespace atl::node

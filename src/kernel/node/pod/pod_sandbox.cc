#include "kernel/node/pod/pod_sandbox.h"

#include <algorithm>

#include "base/observe/log.h"
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

void PodSandbox::expect_attach() {
  const MonoTime now = context_.timer().monotonic();
  if (!context_.cgroups || now - context_.attach_expected < kAttachExpected) return;
  context_.attach_expected = now;
  tasks_.spawn("prepare cgroups", [this]() -> Async<void> {
    co_await context_.offload.run([cgroups = context_.cgroups] {
      cgroups->expect_attach();
      return 0;
    });
  });
}

Result<> PodSandbox::make_group(const PodContext& context, const PodSpec& spec) {
  if (!context.cgroups) return Unit{};
  const PodResources all = pod_resources(spec);
  return context.cgroups->make_pod(spec.uid, {.memory_bytes = all.memory_limit.value_or(0),
                                              .cpu_shares = all.cpu_shares,
                                              .cpu_quota_us = all.cpu_quota_us.value_or(0),
                                              .cpu_period_us = all.cpu_period_us,
                                              .processes = context.pod_processes});
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

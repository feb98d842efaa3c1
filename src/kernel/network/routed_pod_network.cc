#include "kernel/network/routed_pod_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "base/io/files.h"
#include "base/observe/log.h"
#include "kernel/network/netlink_impl.h"
#include "kernel/network/netns.h"
#include "kernel/network/services.h"

namespace atl::network {
namespace {

constexpr Ipv4 kGateway(0xa9fe0101);  // 169.254.1.1, in every pod the same
constexpr int kLoopback = 1;
constexpr const char* kPodDevice = "eth0";
// Locally administered ("at" in ASCII); every host side may have the same, for each is alone on its
// wire.
constexpr Mac kHostMac = {0x02, 'a', 't', 0, 0, 1};

Mac pod_mac(Ipv4 ip) {
  const uint32_t v = ip.value();
  return {0x02, 'a', uint8_t(v >> 24), uint8_t(v >> 16), uint8_t(v >> 8), uint8_t(v)};
}

using SharedFd = std::shared_ptr<io::UniqueFd>;  // a job's function object must be copyable

Result<io::UniqueFd> duplicate(const io::UniqueFd& fd) {
  io::UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return io::errno_error("duplicate a network namespace's fd", errno);
  return copy;
}

// Acts at the end of a scope however it ends: a cancelled coroutine leaves by an exception.
class OnExit {
 public:
  explicit OnExit(std::function<void()> action) : action_(std::move(action)) {}
  ~OnExit() { action_(); }
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;

 private:
  std::function<void()> action_;
};

// The pod's own side: loopback, address, the one route out.
Result<> wire_inside(Ipv4 ip) {
  TRY(const auto netlink, Netlink::open());
  TRY_OK(netlink->set_up(kLoopback));
  TRY(const auto device, netlink->link(kPodDevice));
  if (!device) return Error(Code::kUnavailable, "the pod's eth0 is gone");
  TRY_OK(netlink->set_settings(device->index, {}));
  TRY_OK(netlink->add_address(device->index, ip, 32, Netlink::Scope::kGlobal));
  TRY_OK(netlink->set_up(device->index));
  TRY_OK(netlink->replace_neighbour(device->index, kGateway, kHostMac));
  return netlink->replace_route({.to = {Ipv4(), 0}, .device = device->index, .gateway = kGateway});
}

// The side that came up first gets its queue a moment after its peer came up; until then it drops
// what it is given, and the first SYN of a connection would be sent again only after a second.
// Newer kernels finish this when asked for the link; older ones are asked until they have.
Result<> wait_until_carrying(Netlink& netlink, const std::string& name) {
  constexpr int kTries = 500;
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int i = 0; i < kTries; ++i) {
    TRY(const auto link, netlink.link(name));
    if (!link) return Error(Code::kUnavailable, "the link " + name + " vanished");
    if (link->carrying) return Unit{};
    ::nanosleep(&kPause, nullptr);
  }
  return Error(Code::kTimeout, "the link " + name + " does not carry packets");
}

}  // namespace

struct RoutedPodNetwork::Wiring {
  Ipv4 ip;
  Ipv4 source;  // of the host's connections to the pod
  std::string link;
  std::string alias;
  uint32_t group = 0;
  uint32_t mtu = 0;
};

RoutedPodNetwork::RoutedPodNetwork(Options options, BlockingPool& pool, Services* services)
    : options_(std::move(options)),
      pool_(pool),
      services_(services),
      pool_of_addresses_(options_.pods) {}

RoutedPodNetwork::Wiring RoutedPodNetwork::wiring(const PodRef& pod, Ipv4 ip) const {
  return {.ip = ip,
          .source = options_.link_ip,
          .link = options_.link_name(ip),
          .alias = fmt::format("pod {}/{} {}", pod.ns, pod.name, pod.uid),
          .group = options_.link_group(),
          .mtu = facts_.mtu};
}

Result<> RoutedPodNetwork::wire(const Wiring& wiring, int netns) {
  TRY(const auto netlink, Netlink::open());
  TRY(auto link, netlink->link(wiring.link));
  if (!link) {
    TRY_OK(netlink->create_veth({.name = wiring.link,
                                 .alias = wiring.alias,
                                 .group = wiring.group,
                                 .mac = kHostMac,
                                 .peer_name = kPodDevice,
                                 .peer_mac = pod_mac(wiring.ip),
                                 .peer_netns = netns,
                                 .mtu = wiring.mtu}));
    TRY(link, netlink->link(wiring.link));
    if (!link) return Error(Code::kUnavailable, "the link " + wiring.link + " vanished");
  }
  TRY_OK(netlink->set_settings(link->index, {.forwarding = true, .route_localnet = true}));
  TRY_OK(netlink->set_up(link->index));
  TRY_OK(netlink->replace_neighbour(link->index, wiring.ip, pod_mac(wiring.ip)));
  TRY_OK(netlink->replace_route(
      {.to = {wiring.ip, 32}, .device = link->index, .source = wiring.source, .link_scope = true}));
  {
    TRY(const NetnsScope inside, NetnsScope::enter(netns));
    TRY_OK(wire_inside(wiring.ip));
  }
  return wait_until_carrying(*netlink, wiring.link);
}

Result<> RoutedPodNetwork::unwire(const Options& options, const std::vector<Ipv4>& pods) {
  TRY(const auto netlink, Netlink::open());
  for (const Ipv4 ip : pods) {
    TRY(const auto link, netlink->link(options.link_name(ip)));
    if (link) TRY_OK(netlink->set_group(link->index, options.dying_group()));
  }
  return netlink->delete_group(options.dying_group());
}

Result<> RoutedPodNetwork::sweep(const Options& options, const std::set<std::string>& keep) {
  TRY(const auto netlink, Netlink::open());
  TRY(const auto links, netlink->links());
  for (const LinkInfo& link : links) {
    if (link.group != options.link_group() || keep.contains(link.name)) continue;
    TRY_OK(netlink->set_group(link.index, options.dying_group()));
  }
  return netlink->delete_group(options.dying_group());
}

Task<> RoutedPodNetwork::recover(std::vector<KnownPod> pods) {
  std::set<std::string> keep;
  for (const KnownPod& known : pods) {
    CO_TRY(const Ipv4 ip, Ipv4::parse(known.ip));
    keep.insert(options_.link_name(ip));
    // Of a range that was configured before, say: such a pod goes on as it is until it ends.
    auto reserved = pool_of_addresses_.reserve(known.pod.uid, ip);
    if (!reserved) {
      log::warn("a pod keeps an address that it would not get today",
                {{"pod", known.pod.ns + "/" + known.pod.name}, {"error", reserved.error()}});
    }
  }
  auto swept = co_await pool_.run([options = options_, keep] { return sweep(options, keep); });
  CO_TRY_OK(std::move(swept));
  for (KnownPod& known : pods) {
    const auto reserved = pool_of_addresses_.find(known.pod.uid);
    if (!reserved) continue;
    const Ipv4 ip = *reserved;
    const SharedFd netns = std::make_shared<io::UniqueFd>(std::move(known.netns));
    auto wired = co_await pool_.run(
        [todo = wiring(known.pod, ip), netns] { return wire(todo, netns->get()); });
    namespaces_[known.pod.uid] = std::move(*netns);
    // One broken pod must not keep the others waiting; the node's probes and status will show it.
    if (!wired) {
      log::warn("a pod's network could not be restored",
                {{"pod", known.pod.ns + "/" + known.pod.name}, {"error", wired.error()}});
      continue;
    }
    if (services_ != nullptr) services_->set_host_ports(known.pod.uid, ip, known.pod.host_ports);
  }
  co_return Unit{};
}

Result<> RoutedPodNetwork::check_host_ports(const PodRef& pod) const {
  for (const HostPort& port : pod.host_ports) {
    const auto& reserved = options_.reserved_ports;
    if (port.protocol == HostPort::Protocol::kUdp) continue;
    if (std::ranges::find(reserved, port.host_port) == reserved.end()) continue;
    return Error(Code::kConflict,
                 fmt::format("hostPort {} belongs to Atoll's API or gateway; choose another, or "
                             "reach the pod through an Ingress",
                             port.host_port));
  }
  return Unit{};
}

Task<Attachment> RoutedPodNetwork::attach(PodRef pod) {
  CO_TRY_OK(check_host_ports(pod));
  CO_TRY(const Ipv4 ip, pool_of_addresses_.allocate(pod.uid));
  if (!namespaces_.contains(pod.uid)) {
    auto made = co_await pool_.run([todo = wiring(pod, ip)]() -> Result<SharedFd> {
      TRY(io::UniqueFd netns, make_netns());
      TRY_OK(wire(todo, netns.get()));
      return std::make_shared<io::UniqueFd>(std::move(netns));
    });
    if (!made) {
      pool_of_addresses_.release(pod.uid);
      co_return std::move(made).error().during("network of pod " + pod.ns + "/" + pod.name);
    }
    namespaces_[pod.uid] = std::move(**made);
  }
  if (services_ != nullptr) services_->set_host_ports(pod.uid, ip, pod.host_ports);
  CO_TRY(io::UniqueFd netns, duplicate(namespaces_[pod.uid]));
  co_return Attachment{.netns = std::move(netns), .ip = ip.text(), .gateway = kGateway.text()};
}

Task<> RoutedPodNetwork::drain(std::string pod_uid, Duration limit) {
  const auto ip = pool_of_addresses_.find(pod_uid);
  if (!ip || services_ == nullptr) co_return Unit{};
  co_return co_await services_->drain(*ip, limit);
}

// Deleting a link waits for the kernel's RCU; many at once wait once. So whoever comes first
// deletes for everybody who came meanwhile.
Task<> RoutedPodNetwork::detach(std::string pod_uid) {
  if (!pool_of_addresses_.find(pod_uid)) co_return Unit{};
  leaving_.insert(pod_uid);
  while (unwiring_) {
    const bool woken = co_await unwired_.wait();
    if (!woken) co_return Error(Code::kCancelled, "detach " + pod_uid);
    if (!leaving_.contains(pod_uid)) co_return Unit{};
  }
  unwiring_ = true;
  const OnExit done([this] {
    unwiring_ = false;
    unwired_.notify();
  });
  std::vector<Ipv4> addresses;
  const std::set<std::string> batch = leaving_;
  for (const std::string& uid : batch) {
    if (const auto ip = pool_of_addresses_.find(uid)) addresses.push_back(*ip);
  }
  auto gone =
      co_await pool_.run([options = options_, addresses] { return unwire(options, addresses); });
  CO_TRY_OK(std::move(gone));
  for (const std::string& uid : batch) {
    leaving_.erase(uid);
    if (services_ != nullptr) services_->forget_pod(uid);
    namespaces_.erase(uid);
    pool_of_addresses_.release(uid);
  }
  co_return Unit{};
}

}  // namespace atl::network

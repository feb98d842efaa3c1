#include <algorithm>

#include "kernel/network/private_netns_impl.h"
#include "kernel/network/routed_pod_network.h"
#include "kernel/network/services.h"

namespace atl::network {
namespace {

// The host's side of everything, made for each test and undone after it.
class PodsTest : public PrivateNetworkTest {
 protected:
  void SetUp() override {
    PrivateNetworkTest::SetUp();
    if (IsSkipped()) return;
    options_ = test_options(folder_);
    const auto facts = prepare_host(options_);
    ASSERT_TRUE(facts.has_value()) << facts.error().message();
    services_ = std::make_unique<Services>(loop_.get_executor(), timer_, pool_, options_);
    network_ = std::make_unique<RoutedPodNetwork>(options_, pool_, services_.get());
    network_->set_facts(*facts);
    go([&]() -> Task<> { co_return co_await services_->start(*facts); });
  }
  void TearDown() override {
    if (services_) {
      go([&]() -> Task<> {
        co_await services_->stop();
        co_return Unit{};
      });
      const auto restored = restore_host(options_);
      EXPECT_TRUE(restored.has_value()) << restored.error().message();
      EXPECT_TRUE((*Nft::open())->run(delete_ruleset(options_)));
    }
    PrivateNetworkTest::TearDown();
  }
  Attachment attach(const std::string& uid, std::vector<HostPort> ports = {}) {
    Attachment out;
    go([&]() -> Task<> {
      CO_TRY(out, co_await network_->attach({uid, "default", "pod-" + uid, ports}));
      co_return Unit{};
    });
    return out;
  }
  void detach(const std::string& uid) {
    go([&]() -> Task<> { co_return co_await network_->detach(uid); });
  }
  std::vector<std::string> links() {
    std::vector<std::string> out;
    const auto netlink = Netlink::open();
    for (const LinkInfo& link : *(*netlink)->links()) {
      if (link.group == options_.link_group()) out.push_back(link.name);
    }
    return out;
  }

  Options options_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<RoutedPodNetwork> network_;
};

TEST_F(PodsTest, PodsReachEachOtherTheHostAndThemselves) {
  const Attachment a = attach("a");
  const Attachment b = attach("b");
  EXPECT_EQ(a.ip, "10.42.0.1");
  EXPECT_EQ(b.ip, "10.42.0.2");
  const io::UniqueFd in_b = listen_in(b.netns.get(), "0.0.0.0", 8080);
  const io::UniqueFd on_link = listen_in(home(), "169.254.20.1", 6443);
  EXPECT_EQ(connect_from(a.netns.get(), b.ip, 8080), "");
  EXPECT_EQ(accept_all(in_b.get()), a.ip) << "pods see each other's own address";
  EXPECT_EQ(connect_from(home(), b.ip, 8080), "");
  EXPECT_EQ(accept_all(in_b.get()), "169.254.20.1") << "the host comes from the link-local address";
  EXPECT_EQ(connect_from(b.netns.get(), "127.0.0.1", 8080), "") << "loopback is up";
  EXPECT_EQ(connect_from(a.netns.get(), "169.254.20.1", 6443), "");
  EXPECT_EQ(accept_all(on_link.get()), a.ip);
}

TEST_F(PodsTest, APodCannotReachTheHostsLoopback) {
  const Attachment a = attach("a");
  const io::UniqueFd private_listener = listen_in(home(), "127.0.0.1", 7777);
  // A pod with the rights to may send anything out of its interface: it routes 127.0.0.2 there.
  {
    const auto inside = NetnsScope::enter(a.netns.get());
    const auto netlink = *Netlink::open();
    const auto eth0 = *netlink->link("eth0");
    ASSERT_TRUE(netlink->set_settings(eth0->index, {.route_localnet = true}));
    ASSERT_TRUE(netlink->replace_route({.to = *Ipv4Range::parse("127.0.0.2/32"),
                                        .device = eth0->index,
                                        .gateway = *Ipv4::parse("169.254.1.1"),
                                        .source = *Ipv4::parse(a.ip)}));
  }
  const io::UniqueFd any = listen_in(home(), "0.0.0.0", 7778);
  EXPECT_EQ(connect_from(a.netns.get(), "127.0.0.2", 7778, 300), "no answer");
  EXPECT_EQ(accept_all(any.get()), "");
}

TEST_F(PodsTest, APodCannotWearAnotherAddress) {
  const Attachment a = attach("a");
  const Attachment b = attach("b");
  const io::UniqueFd in_b = listen_in(b.netns.get(), "0.0.0.0", 5353, Protocol::kUdp);
  {
    const auto inside = NetnsScope::enter(a.netns.get());
    const auto netlink = *Netlink::open();
    const auto eth0 = *netlink->link("eth0");
    ASSERT_TRUE(
        netlink->add_address(eth0->index, *Ipv4::parse("10.42.9.9"), 32, Netlink::Scope::kGlobal));
  }
  const sockaddr_in to = socket_address(b.ip, 5353);
  const auto send_as = [&](const std::string& source) {
    const io::UniqueFd fd = socket_in(a.netns.get(), Protocol::kUdp);
    const sockaddr_in from = socket_address(source, 0);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)), 0);
    EXPECT_EQ(::sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 1);
    pollfd wait{.fd = in_b.get(), .events = POLLIN};
    char byte = 0;
    return ::poll(&wait, 1, 200) == 1 && ::recv(in_b.get(), &byte, 1, 0) == 1;
  };
  EXPECT_FALSE(send_as("10.42.9.9"));
  EXPECT_TRUE(send_as(a.ip)) << "the same packet from its own address arrives";
}

TEST_F(PodsTest, AttachingTwiceGivesTheSamePlace) {
  const Attachment once = attach("a");
  const Attachment again = attach("a");
  EXPECT_EQ(once.ip, again.ip);
  EXPECT_EQ(links().size(), 1u);
  const io::UniqueFd listener = listen_in(once.netns.get(), "0.0.0.0", 80);
  EXPECT_EQ(connect_from(again.netns.get(), "127.0.0.1", 80), "") << "one and the same namespace";
}

TEST_F(PodsTest, DetachLeavesNothing) {
  const Attachment a = attach("a");
  attach("b");
  EXPECT_EQ(links().size(), 2u);
  detach("a");
  EXPECT_EQ(links(), std::vector<std::string>{options_.link_name(*Ipv4::parse("10.42.0.2"))});
  for (const RouteSpec& route : *(*Netlink::open())->routes()) {
    EXPECT_NE(route.to.text(), a.ip + "/32");
  }
  detach("a");        // again
  detach("unknown");  // never there
  detach("b");
  EXPECT_TRUE(links().empty());
}

TEST_F(PodsTest, ManyAtOnceComeAndGoTogether) {
  std::vector<Attachment> held;
  for (int i = 0; i < 50; ++i) held.push_back(attach("p" + std::to_string(i)));
  EXPECT_EQ(links().size(), 50u);
  TaskGroup group(loop_.get_executor());
  size_t gone = 0;
  go([&]() -> Task<> {
    for (int i = 0; i < 50; ++i) {
      group.spawn("detach", [&, i]() -> Async<void> {
        const auto done = co_await network_->detach("p" + std::to_string(i));
        if (done) ++gone;
      });
    }
    while (group.running() > 0) co_await timer_.sleep_for(std::chrono::milliseconds(1));
    co_return Unit{};
  });
  EXPECT_EQ(gone, 50u);
  EXPECT_TRUE(links().empty());
  EXPECT_TRUE(network_->addresses().owners().empty());
}

TEST_F(PodsTest, ARestartKeepsTheLivingAndSweepsTheRest) {
  Attachment a = attach("a");
  Attachment b = attach("b");
  Attachment c = attach("c");
  const io::UniqueFd in_a = listen_in(a.netns.get(), "0.0.0.0", 80);
  // The agent is gone, and meanwhile somebody deleted b's link. The keeper still holds a and b.
  network_ = std::make_unique<RoutedPodNetwork>(options_, pool_, services_.get());
  {
    const auto netlink = *Netlink::open();
    ASSERT_TRUE(
        netlink->delete_link((*netlink->link(options_.link_name(*Ipv4::parse(b.ip))))->index));
  }
  const int b_netns = ::dup(b.netns.get());
  std::vector<KnownPod> known;
  known.push_back({{"a", "default", "pod-a", {}}, a.ip, io::UniqueFd(::dup(a.netns.get()))});
  known.push_back({{"b", "default", "pod-b", {}}, b.ip, std::move(b.netns)});
  go([&]() -> Task<> { co_return co_await network_->recover(std::move(known)); });
  EXPECT_EQ(links().size(), 2u) << "c's link is gone";
  EXPECT_EQ(connect_from(b_netns, a.ip, 80), "") << "b is wired again";
  EXPECT_EQ(accept_all(in_a.get()), b.ip);
  EXPECT_EQ(attach("d").ip, "10.42.0.3") << "c's address is free, a's and b's are not";
  ::close(b_netns);
}

TEST_F(PodsTest, AHostPortOfTheGatewayIsRefusedBeforeAnythingIsMade) {
  std::string message;
  go([&]() -> Task<> {
    const auto made =
        co_await network_->attach({"a", "default", "web", {{HostPort::Protocol::kTcp, 443, 8443}}});
    if (!made) message = made.error().message();
    co_return Unit{};
  });
  EXPECT_NE(message.find("hostPort 443"), std::string::npos) << message;
  EXPECT_TRUE(links().empty());
}

TEST_F(PodsTest, HostPortsAnswerOnLoopbackUntilTheyDrain) {
  services_->begin();
  const Attachment a = attach("a", {{HostPort::Protocol::kTcp, 18080, 8080}});
  const io::UniqueFd in_a = listen_in(a.netns.get(), "0.0.0.0", 8080);
  go([&]() -> Task<> { co_return co_await services_->settled(std::chrono::seconds(5)); });
  EXPECT_EQ(connect_from(home(), "127.0.0.1", 18080), "");
  EXPECT_EQ(accept_all(in_a.get()), "169.254.20.1");
  go([&]() -> Task<> { co_return co_await network_->drain("a", std::chrono::seconds(5)); });
  EXPECT_EQ(connect_from(home(), "127.0.0.1", 18080), "Connection refused");
}

// Another machine behind an uplink, to see what pods look like from outside.
class UplinkTest : public PodsTest {
 protected:
  void SetUp() override {
    if (in_private_network()) {
      outside_ = *make_netns();
      const auto netlink = *Netlink::open();
      ASSERT_TRUE(netlink->create_veth({.name = "up0",
                                        .mac = {2, 0, 0, 0, 0, 1},
                                        .peer_name = "eth0",
                                        .peer_mac = {2, 0, 0, 0, 0, 2},
                                        .peer_netns = outside_.get(),
                                        .mtu = 1400}));
      const int up = (*netlink->link("up0"))->index;
      ASSERT_TRUE(netlink->add_address(up, *Ipv4::parse("192.0.2.2"), 24, Netlink::Scope::kGlobal));
      ASSERT_TRUE(netlink->set_up(up));
      const auto inside = NetnsScope::enter(outside_.get());
      const auto there = *Netlink::open();
      const int eth0 = (*there->link("eth0"))->index;
      ASSERT_TRUE(there->add_address(eth0, *Ipv4::parse("192.0.2.1"), 24, Netlink::Scope::kGlobal));
      ASSERT_TRUE(there->set_up(eth0));
      // The neighbour knows where our ranges are, and tries.
      for (const char* range : {"10.42.0.0/16", "10.96.0.0/16", "169.254.20.1/32"}) {
        ASSERT_TRUE(there->replace_route({.to = *Ipv4Range::parse(range),
                                          .device = eth0,
                                          .gateway = *Ipv4::parse("192.0.2.2")}));
      }
      ASSERT_TRUE(netlink->replace_route(
          {.to = {Ipv4(), 0}, .device = up, .gateway = *Ipv4::parse("192.0.2.1")}));
    }
    PodsTest::SetUp();
  }
  void TearDown() override {
    PodsTest::TearDown();
    if (!outside_) return;
    EXPECT_EQ(forwarding("up0"), "0") << "changed settings are put back";
    const auto netlink = *Netlink::open();
    ASSERT_TRUE(netlink->delete_link((*netlink->link("up0"))->index));
  }
  static std::string forwarding(const std::string& device) {
    return io::read_file("/proc/sys/net/ipv4/conf/" + device + "/forwarding")->substr(0, 1);
  }
  io::UniqueFd outside_;
};

TEST_F(UplinkTest, PodsLeaveWithTheMachinesAddressAndNobodyComesIn) {
  EXPECT_EQ(network_->node_address(), "192.0.2.2");
  EXPECT_EQ(forwarding("up0"), "1");
  EXPECT_EQ(io::read_file("/proc/sys/net/ipv4/ip_forward")->substr(0, 1), "0")
      << "the machine as a whole does not become a router";
  const Attachment a = attach("a");
  const io::UniqueFd server = listen_in(outside_.get(), "192.0.2.1", 80);
  EXPECT_EQ(connect_from(a.netns.get(), "192.0.2.1", 80), "");
  EXPECT_EQ(accept_all(server.get()), "192.0.2.2");
  const io::UniqueFd in_a = listen_in(a.netns.get(), "0.0.0.0", 80);
  EXPECT_EQ(connect_from(outside_.get(), a.ip, 80, 300), "no answer");
  const io::UniqueFd on_link = listen_in(home(), "169.254.20.1", 6443);
  EXPECT_EQ(connect_from(outside_.get(), "169.254.20.1", 6443, 300), "no answer");
  EXPECT_NE(connect_from(outside_.get(), "10.96.0.1", 443, 300), "");
  EXPECT_EQ(accept_all(in_a.get()) + accept_all(on_link.get()), "");
}

TEST_F(UplinkTest, ThePodsMtuIsTheUplinks) {
  const Attachment a = attach("a");
  const auto inside = NetnsScope::enter(a.netns.get());
  const auto netlink = *Netlink::open();
  EXPECT_EQ((*netlink->link("eth0"))->mtu, 1400u);
}

TEST_F(UplinkTest, ARangeThatTheHostRoutesIsRefusedWithAWayOut) {
  Options clash = options_;
  clash.pods = *Ipv4Range::parse("192.0.0.0/16");
  const auto facts = prepare_host(clash);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code(), Code::kConflict);
  EXPECT_NE(facts.error().message().find("set another POD_CIDR"), std::string::npos);
}

}  // namespace
}  // namespace atl::network

#include "kernel/network/services.h"

#include <fmt/format.h>

#include "kernel/network/private_netns_impl.h"
#include "kernel/network/routed_pod_network.h"

namespace atl::network {
namespace {

constexpr auto kLimit = std::chrono::seconds(20);

// Two pods and the Services in front of them, in a real kernel.
class ServicesTest : public PrivateNetworkTest {
 protected:
  void SetUp() override {
    PrivateNetworkTest::SetUp();
    if (IsSkipped()) return;
    options_ = test_options(folder_);
    const auto facts = prepare_host(options_);
    ASSERT_TRUE(facts.has_value()) << facts.error().message();
    network_ = std::make_unique<RoutedPodNetwork>(options_, pool_, nullptr);
    network_->set_facts(*facts);
    start_services();
    services_->begin();
    go([&]() -> Task<> {
      CO_TRY(a_, co_await network_->attach({"a", "default", "a", {}}));
      CO_TRY(b_, co_await network_->attach({"b", "default", "b", {}}));
      co_return Unit{};
    });
    in_a_ = listen_in(a_.netns.get(), "0.0.0.0", 8080);
    in_b_ = listen_in(b_.netns.get(), "0.0.0.0", 8080);
  }
  void TearDown() override {
    if (services_) {
      stop_services();
      EXPECT_TRUE(restore_host(options_));
      EXPECT_TRUE((*Nft::open())->run(delete_ruleset(options_)));
    }
    PrivateNetworkTest::TearDown();
  }
  void start_services() {
    services_ = std::make_unique<Services>(loop_.get_executor(), timer_, pool_, options_);
    go([&]() -> Task<> { co_return co_await services_->start({}); });
  }
  void stop_services() {
    go([&]() -> Task<> {
      co_await services_->stop();
      co_return Unit{};
    });
  }
  void settle() {
    go([&]() -> Task<> { co_return co_await services_->settled(kLimit); });
  }
  // Service number n at 10.96.1.n:80, with these pods behind it.
  void set_service(uint32_t n, std::vector<std::string> backends, bool sticky = false,
                   Protocol protocol = Protocol::kTcp, uint16_t node_port = 0) {
    const api::ObjectKey key{"default", fmt::format("s{}", n)};
    services_->set_service({.key = key,
                            .cluster_ips = {Ipv4(options_.services.first().value() + 256 + n)},
                            .sticky = sticky,
                            .ports = {{"", protocol, 80, node_port}}});
    SliceInfo slice{.service = key, .ports = {{"", protocol, 8080}}};
    for (const std::string& ip : backends) slice.endpoints.push_back({*Ipv4::parse(ip)});
    services_->set_slice(key, slice);
  }
  static std::string vip(uint32_t n) { return fmt::format("10.96.{}.{}", 1 + n / 256, n % 256); }

  SimTimer virtual_time_;  // outlives the Services of the one test that uses it
  Options options_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<RoutedPodNetwork> network_;
  Attachment a_, b_;
  io::UniqueFd in_a_, in_b_;
};

TEST_F(ServicesTest, PodsAndHostReachAServiceAndAPodReachesItself) {
  set_service(1, {a_.ip});
  settle();
  EXPECT_EQ(connect_from(b_.netns.get(), vip(1), 80), "");
  EXPECT_EQ(accept_all(in_a_.get()), b_.ip) << "the client's address is kept";
  EXPECT_EQ(connect_from(home(), vip(1), 80), "") << "this host has no default route at all";
  EXPECT_EQ(accept_all(in_a_.get()), "169.254.20.1");
  EXPECT_EQ(connect_from(a_.netns.get(), vip(1), 80), "") << "through the Service to itself";
  EXPECT_EQ(accept_all(in_a_.get()), "169.254.20.1");
}

TEST_F(ServicesTest, WhatNobodyServesIsRefusedAtOnce) {
  set_service(1, {});
  settle();
  for (const int from : {a_.netns.get(), home()}) {
    EXPECT_EQ(connect_from(from, vip(1), 80), "Connection refused") << "no endpoint";
    EXPECT_EQ(connect_from(from, vip(7), 80), "Connection refused") << "no such Service";
  }
  set_service(1, {b_.ip});
  settle();
  EXPECT_EQ(connect_from(a_.netns.get(), vip(1), 80), "");
  EXPECT_EQ(connect_from(a_.netns.get(), vip(1), 81), "Connection refused") << "no such port";
}

TEST_F(ServicesTest, TheApiAnswersAtItsClusterIpFromTheStart) {
  const io::UniqueFd api = listen_in(home(), "169.254.20.1", 6443);
  EXPECT_EQ(connect_from(a_.netns.get(), "10.96.0.1", 443), "");
  EXPECT_EQ(accept_all(api.get()), a_.ip);
  EXPECT_EQ(connect_from(home(), "10.96.0.1", 443), "");
}

TEST_F(ServicesTest, TwoHundredServicesAreAllProgrammedAndEachLeadsHome) {
  for (uint32_t n = 1; n <= 200; ++n) set_service(n, {n % 2 == 0 ? a_.ip : b_.ip});
  settle();
  EXPECT_LE(services_->transactions(), 3u) << "what gathers goes over together";
  for (uint32_t n = 1; n <= 200; ++n) {
    ASSERT_EQ(connect_from(n % 2 == 0 ? b_.netns.get() : a_.netns.get(), vip(n), 80), "") << n;
    size_t accepted = 0;
    accept_all(n % 2 == 0 ? in_a_.get() : in_b_.get(), &accepted);
    ASSERT_EQ(accepted, 1u) << n;
  }
  for (uint32_t n = 1; n <= 200; ++n) services_->remove_service({"default", fmt::format("s{}", n)});
  settle();
  EXPECT_EQ(connect_from(a_.netns.get(), vip(100), 80), "Connection refused");
  const std::string left = *(*Nft::open())->query("list map inet atoll-test1 slots");
  EXPECT_EQ(left.find(" 10.96.1."), std::string::npos) << left;
}

TEST_F(ServicesTest, ConnectionsSpreadEvenlyAndStickyOnesStay) {
  set_service(1, {a_.ip, b_.ip});
  set_service(2, {a_.ip, b_.ip}, /*sticky=*/true);
  settle();
  const auto spread = [&](uint32_t service) {
    size_t to_a = 0, to_b = 0;
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(connect_from(home(), vip(service), 80), "");
      accept_all(in_a_.get(), &to_a);
      accept_all(in_b_.get(), &to_b);
    }
    EXPECT_EQ(to_a + to_b, 100u);
    return std::min(to_a, to_b);
  };
  EXPECT_GT(spread(1), 25u);  // chance of less: below 1 in a million
  EXPECT_EQ(spread(2), 0u);
}

TEST_F(ServicesTest, AChangeOfEndpointsCountsAtOnceAndBreaksNoConnection) {
  set_service(1, {a_.ip});
  settle();
  const io::UniqueFd client = socket_in(home(), Protocol::kTcp);
  const sockaddr_in to = socket_address(vip(1), 80);
  ::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  pollfd wait{.fd = client.get(), .events = POLLOUT};
  ASSERT_EQ(::poll(&wait, 1, 2000), 1);
  const io::UniqueFd served(::accept(in_a_.get(), nullptr, nullptr));
  ASSERT_TRUE(served);
  set_service(1, {b_.ip});
  settle();
  EXPECT_EQ(connect_from(home(), vip(1), 80), "");
  size_t to_b = 0;
  accept_all(in_b_.get(), &to_b);
  EXPECT_EQ(to_b, 1u);
  ASSERT_EQ(::send(client.get(), "still here", 10, 0), 10);
  char buffer[10];
  EXPECT_EQ(::recv(served.get(), buffer, sizeof(buffer), MSG_WAITALL), 10);
}

TEST_F(ServicesTest, AUdpClientThatKeepsItsSocketFollowsTheService) {
  const io::UniqueFd udp_a = listen_in(a_.netns.get(), "0.0.0.0", 8080, Protocol::kUdp);
  const io::UniqueFd udp_b = listen_in(b_.netns.get(), "0.0.0.0", 8080, Protocol::kUdp);
  const auto received = [](int fd) {
    pollfd wait{.fd = fd, .events = POLLIN};
    char byte = 0;
    return ::poll(&wait, 1, 500) == 1 && ::recv(fd, &byte, 1, 0) == 1;
  };
  set_service(1, {a_.ip}, false, Protocol::kUdp);
  settle();
  const io::UniqueFd client = socket_in(home(), Protocol::kUdp);
  const sockaddr_in to = socket_address(vip(1), 80);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  ASSERT_EQ(::send(client.get(), "1", 1, 0), 1);
  EXPECT_TRUE(received(udp_a.get()));
  set_service(1, {b_.ip}, false, Protocol::kUdp);
  settle();
  ASSERT_EQ(::send(client.get(), "2", 1, 0), 1);
  EXPECT_TRUE(received(udp_b.get())) << "the old translation must be forgotten";
}

// In virtual time, so that a busy machine decides nothing: what waits for kSettle waits until the
// test says so.
TEST_F(ServicesTest, DrainingTakesTimeOnlyWhereSomebodyMayStillCome) {
  stop_services();
  services_ = std::make_unique<Services>(loop_.get_executor(), virtual_time_, pool_, options_);
  go([&]() -> Task<> { co_return co_await services_->start({}); });
  services_->begin();
  set_service(1, {a_.ip, b_.ip});
  settle();
  const auto drain = [&](const std::string& ip) {
    return services_->drain(*Ipv4::parse(ip), kLimit);
  };
  go([&]() -> Task<> { co_return co_await drain("10.42.0.99"); });  // returns: was never a backend

  bool drained = false;
  TaskGroup group(loop_.get_executor());
  go([&]() -> Task<> {
    const uint64_t before = services_->transactions();
    group.spawn("drain", [&]() -> Async<void> {
      const auto done = co_await drain(a_.ip);
      drained = done.has_value();
    });
    while (services_->transactions() == before)
      co_await timer_.sleep_for(std::chrono::milliseconds(1));
    for (int i = 0; i < 20; ++i) co_await timer_.sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(drained) << "the gateway may not know yet";
    EXPECT_TRUE(virtual_time_.advance_to_next(virtual_time_.monotonic() + Services::kSettle));
    while (group.running() > 0) co_await timer_.sleep_for(std::chrono::milliseconds(1));
    co_return Unit{};
  });
  EXPECT_TRUE(drained);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(connect_from(home(), vip(1), 80), "");
  EXPECT_EQ(accept_all(in_a_.get()), "");
}

TEST_F(ServicesTest, NodePortsAnswerOnLoopback) {
  set_service(1, {a_.ip}, false, Protocol::kTcp, 30080);
  settle();
  EXPECT_EQ(connect_from(home(), "127.0.0.1", 30080), "");
  EXPECT_EQ(accept_all(in_a_.get()), "169.254.20.1");
}

// CVE-2021-25737: whoever may write slices leads a Service to the host's loopback.
TEST_F(ServicesTest, NoServiceLeadsToTheLoopbackOfTheHost) {
  const io::UniqueFd secret = listen_in(home(), "127.0.0.1", 8080);
  set_service(1, {"127.0.0.1"});  // as if nobody had looked at the slice
  settle();
  EXPECT_EQ(connect_from(home(), vip(1), 80), "") << "the host may";
  accept_all(secret.get());
  EXPECT_EQ(connect_from(a_.netns.get(), vip(1), 80, 300), "no answer");
  EXPECT_EQ(accept_all(secret.get()), "");
  ASSERT_TRUE((*Nft::open())->run("flush chain inet atoll-test1 link_local"));
  EXPECT_EQ(connect_from(a_.netns.get(), vip(1), 80), "") << "without the rule";
}

// 169.254.169.254 hands out the machine's own credentials in most clouds.
TEST_F(ServicesTest, PodsReachNoMetadataService) {
  // Another network beyond the host: forwarded to, as a cloud's is.
  Attachment cloud;
  go([&]() -> Task<> {
    CO_TRY(cloud, co_await network_->attach({"cloud", "default", "cloud", {}}));
    co_return Unit{};
  });
  const Ipv4 metadata = *Ipv4::parse("169.254.169.254");
  {
    const auto scope = NetnsScope::enter(cloud.netns.get());
    ASSERT_TRUE((*Netlink::open())->add_address(1, metadata, 32, Netlink::Scope::kHost));
  }
  const io::UniqueFd listener = listen_in(cloud.netns.get(), metadata.text(), 80);
  const auto netlink = *Netlink::open();
  int device = 0;
  for (const LinkInfo& link : *netlink->links()) {
    if (link.name == options_.link_name(*Ipv4::parse(cloud.ip))) device = link.index;
  }
  ASSERT_TRUE(netlink->replace_route({.to = Ipv4Range(metadata, 32),
                                      .device = device,
                                      .source = options_.link_ip,
                                      .link_scope = true}));
  EXPECT_EQ(connect_from(home(), "169.254.169.254", 80), "") << "the host may";
  EXPECT_EQ(connect_from(a_.netns.get(), "169.254.169.254", 80, 500), "Connection refused");
  EXPECT_EQ(connect_from(a_.netns.get(), "169.254.20.1", 9, 500), "Connection refused")
      << "LINK_IP is the host's own: nobody listens at this port";
  stop_services();
  options_.metadata_from_pods = true;
  start_services();
  services_->begin();
  settle();
  EXPECT_EQ(connect_from(a_.netns.get(), "169.254.169.254", 80), "") << "where it is allowed";
}

TEST_F(ServicesTest, ARestartServesOnAndThenFollows) {
  set_service(1, {a_.ip});
  set_service(2, {a_.ip});
  settle();
  stop_services();
  start_services();  // knows nothing yet
  EXPECT_EQ(connect_from(b_.netns.get(), vip(1), 80), "") << "the table stays until begin()";
  set_service(2, {b_.ip});
  services_->begin();
  settle();
  EXPECT_EQ(connect_from(b_.netns.get(), vip(1), 80), "Connection refused") << "deleted meanwhile";
  EXPECT_EQ(connect_from(a_.netns.get(), vip(2), 80), "");
}

TEST_F(ServicesTest, AFlushedRulesetComesBack) {
  set_service(1, {a_.ip});
  settle();
  ASSERT_TRUE((*Nft::open())->run("flush ruleset"));
  EXPECT_NE(connect_from(b_.netns.get(), vip(1), 80, 200), "");
  services_->check();
  settle();
  EXPECT_EQ(connect_from(b_.netns.get(), vip(1), 80), "");
}

TEST_F(ServicesTest, ARefusedChangeIsFollowedByAReplacement) {
  set_service(1, {a_.ip});
  settle();
  // Behind our back: the next "delete element" cannot find it.
  ASSERT_TRUE((*Nft::open())->run("flush map inet atoll-test1 slots"));
  set_service(1, {b_.ip});
  set_service(2, {b_.ip});
  settle();
  EXPECT_EQ(connect_from(a_.netns.get(), vip(1), 80), "");
  EXPECT_EQ(connect_from(a_.netns.get(), vip(2), 80), "");
  EXPECT_EQ(services_->last_error(), "");
}

}  // namespace
}  // namespace atl::network

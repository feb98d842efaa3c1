#include "kernel/network/network.h"

#include "api/client/fake_client.h"
#include "kernel/network/dns/exchange.h"
#include "kernel/network/private_netns_impl.h"

namespace atl::network {
namespace {

constexpr auto kLimit = std::chrono::seconds(20);

json::Value parsed(std::string_view text) {
  return *json::parse(text);
}

// The whole of it against an API in memory and a real kernel.
class NetworkTest : public PrivateNetworkTest {
 protected:
  void SetUp() override {
    PrivateNetworkTest::SetUp();
    if (IsSkipped()) return;
    layout_ = io::Layout::of(folder_);
    options_ = test_options(Options::state_folder(layout_));
    options_.instance = layout_.instance;
  }
  void TearDown() override {
    if (!folder_.empty() && moved_) EXPECT_TRUE(Network::cleanup(layout_));
    PrivateNetworkTest::TearDown();
  }
  void start() {
    network_ = std::make_unique<Network>(api::Seams{loop_.get_executor(), &timer_, &rng_}, pool_,
                                         client_, options_);
    go([&]() -> Task<> { co_return co_await network_->start(); });
  }
  void stop() {
    go([&]() -> Task<> {
      co_await network_->stop();
      co_return Unit{};
    });
    network_.reset();
  }
  void put_web(const std::string& backend) {
    ASSERT_TRUE(client_.put({"", "v1", "services"}, parsed(R"({"apiVersion":"v1","kind":"Service",
      "metadata":{"namespace":"default","name":"web"},"spec":{"clusterIP":"10.96.1.1",
      "ports":[{"port":80}]}})")));
    ASSERT_TRUE(client_.put({"discovery.k8s.io", "v1", "endpointslices"},
                            parsed(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice",
      "metadata":{"namespace":"default","name":"web-1","labels":{"kubernetes.io/service-name":"web"}},
      "addressType":"IPv4","ports":[{"port":8080}],"endpoints":[{"addresses":[")" +
                                   backend + R"("]}]})")));
  }
  // Until the condition holds or the limit has passed.
  void eventually(std::function<bool()> condition) {
    go([&]() -> Task<> {
      const MonoTime until = timer_.monotonic() + kLimit;
      while (!condition()) {
        if (timer_.monotonic() > until) co_return Error(Code::kTimeout, "it never came true");
        co_await timer_.sleep_for(std::chrono::milliseconds(5));
      }
      co_return Unit{};
    });
  }
  std::vector<std::string> resolve(const std::string& server, const std::string& name) {
    std::vector<std::string> out;
    go([&]() -> Task<> {
      dns::SocketExchange client(loop_.get_executor(), timer_);
      CO_TRY(const dns::Bytes reply,
             co_await client.ask({server}, dns::encode_query(7, name, dns::Type::kA, 1232),
                                 dns::Transport::kUdp, kLimit));
      CO_TRY(out, dns::answer_lines(reply));
      co_return Unit{};
    });
    return out;
  }

  SystemRng rng_;
  api::FakeClient client_{timer_, rng_};
  io::Layout layout_;
  Options options_;
  std::unique_ptr<Network> network_;
};

TEST_F(NetworkTest, ServicesAndNamesFollowTheApiAndOutliveTheAgent) {
  put_web("10.42.0.1");
  start();
  Attachment pod;
  go([&]() -> Task<> {
    CO_TRY(pod, co_await network_->pods().attach({"u1", "default", "web-1", {}}));
    co_return Unit{};
  });
  ASSERT_EQ(pod.ip, "10.42.0.1");
  const io::UniqueFd listener = listen_in(pod.netns.get(), "0.0.0.0", 8080);
  eventually([&] { return connect_from(home(), "10.96.1.1", 80, 200).empty(); });
  EXPECT_EQ(network_->pods().dns_address(), "169.254.20.1");
  EXPECT_EQ(resolve("169.254.20.1", "web.default.svc.cluster.local").size(), 1u);
  EXPECT_EQ(resolve("10.96.0.10", "web.default.svc.cluster.local").size(), 1u)
      << "the ClusterIP of kube-dns leads to the same server";
  EXPECT_EQ(network_->trouble(), "");
  stop();
  EXPECT_EQ(connect_from(home(), "10.96.1.1", 80), "") << "while there is no agent";
  start();
  std::vector<KnownPod> known;
  known.push_back({{"u1", "default", "web-1", {}}, pod.ip, std::move(pod.netns)});
  go([&]() -> Task<> { co_return co_await network_->pods().recover(std::move(known)); });
  EXPECT_EQ(connect_from(home(), "10.96.1.1", 80), "");
  ASSERT_TRUE(client_.drop({"", "v1", "services"}, {"default", "web"}));
  eventually([&] { return connect_from(home(), "10.96.1.1", 80, 200) == "Connection refused"; });
  stop();
}

TEST_F(NetworkTest, CleanupLeavesNoTrace) {
  const auto snapshot = [&] {
    const auto netlink = *Netlink::open();
    std::string out = *(*Nft::open())->query("list ruleset");
    for (const LinkInfo& link : *netlink->links()) out += link.name + "\n";
    for (const RouteSpec& route : *netlink->routes()) out += route.to.text() + "\n";
    for (const Ipv4 ip : *netlink->addresses(1)) out += ip.text() + "\n";
    return out;
  };
  const std::string before = snapshot();
  start();
  go([&]() -> Task<> {
    CO_TRY_OK(co_await network_->pods().attach({"u1", "default", "web-1", {}}));
    co_return Unit{};
  });
  EXPECT_NE(snapshot(), before);
  stop();
  ASSERT_TRUE(Network::cleanup(layout_));
  EXPECT_EQ(snapshot(), before);
  EXPECT_FALSE(std::filesystem::exists(options_.state + "/host"));
  ASSERT_TRUE(Network::cleanup(layout_)) << "again, with nothing there";
}

TEST_F(NetworkTest, AnInstanceDoesNotTouchAnothersPods) {
  start();
  Attachment pod;
  go([&]() -> Task<> {
    CO_TRY(pod, co_await network_->pods().attach({"u1", "default", "web-1", {}}));
    co_return Unit{};
  });
  const io::UniqueFd listener = listen_in(pod.netns.get(), "0.0.0.0", 8080);
  const io::Layout other = io::Layout::of(folder_ + "/other");
  ASSERT_NE(other.instance, layout_.instance);
  ASSERT_TRUE(Network::cleanup(other));
  EXPECT_EQ(connect_from(home(), pod.ip, 8080), "");
  stop();
}

}  // namespace
}  // namespace atl::network

#include <fmt/format.h>

#include <fstream>

#include "base/core/rng.h"
#include "kernel/network/dns/server.h"
#include "kernel/network/dns/shares.h"
#include "kernel/network/private_netns_impl.h"

namespace atl::network {
namespace {

// A name server of the host that never answers, and two pods: one asks without end.
class DnsShareTest : public PrivateNetworkTest {};

TEST_F(DnsShareTest, AClientThatAsksWithoutEndLeavesRoomForTheOthers) {
  ASSERT_TRUE((*Netlink::open())->set_up(1));
  const io::UniqueFd silent = listen_in(home(), "127.0.0.9", 53, Protocol::kUdp);
  const std::string resolv = folder_ + "/resolv.conf";
  std::ofstream(resolv) << "nameserver 127.0.0.9\n";
  SystemRng rng;
  dns::DnsServer server(loop_.get_executor(), timer_, rng, pool_, test_options(folder_), resolv);
  const auto port = server.listen("127.0.0.1", 0);
  ASSERT_TRUE(port.has_value());
  const auto client_at = [&](const char* address) {
    io::UniqueFd fd = listen_in(home(), address, 0, Protocol::kUdp);
    const sockaddr_in to = socket_address("127.0.0.1", *port);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return fd;
  };
  const io::UniqueFd greedy = client_at("127.0.0.2"), modest = client_at("127.0.0.3");
  const auto ask = [](int fd, int n) {
    const dns::Bytes q =
        dns::encode_query(uint16_t(n), fmt::format("n{}.example.org", n), dns::Type::kA, 0);
    EXPECT_EQ(::send(fd, q.data(), q.size(), 0), ssize_t(q.size()));
  };
  const auto answers = [](int fd) {
    char buffer[512];
    int n = 0;
    while (::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) ++n;
    return n;
  };
  constexpr int kAsked = 200;
  int refused = 0, forwarded = 0;
  go([&]() -> Task<> {
    while (server.forwarder().in_flight() == 0) {  // until resolv.conf was read
      ask(modest.get(), 1);
      co_await timer_.sleep_for(std::chrono::milliseconds(5));
    }
    answers(silent.get()), answers(modest.get());
    for (int n = 0; n < kAsked; ++n) ask(greedy.get(), n);
    for (int i = 0; i < 1'000 && refused < kAsked - 64; ++i) {
      co_await timer_.sleep_for(std::chrono::milliseconds(5));
      refused += answers(greedy.get());
    }
    answers(silent.get());
    ask(modest.get(), 7'777);
    for (int i = 0; i < 1'000 && forwarded == 0; ++i) {
      co_await timer_.sleep_for(std::chrono::milliseconds(5));
      forwarded = answers(silent.get());
    }
    EXPECT_EQ(answers(modest.get()), 0) << "it is being asked for";
    co_await server.stop();
    co_return Unit{};
  });
  EXPECT_EQ(refused, kAsked - int(dns::Forwarder::kMostInFlight / 8));
  EXPECT_GE(forwarded, 1);
}

}  // namespace
}  // namespace atl::network

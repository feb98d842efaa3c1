#include "kernel/network/dns/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"

namespace atl::network::dns {
namespace {

Options options() {
  Options out;
  out.pods = *Ipv4Range::parse("10.42.0.0/16");
  out.services = *Ipv4Range::parse("10.96.0.0/16");
  out.link_ip = *Ipv4::parse("169.254.20.1");
  out.dns_ip = *Ipv4::parse("10.96.0.10");
  return out;
}

// The server on loopback, asked over real sockets by the forwarder's own client code.
TEST(DnsServer, AnswersOverUdpAndTcpAndMovesToTcpForLongAnswers) {
  asio::io_context loop;
  SystemTimer timer;
  SystemRng rng;
  BlockingPool pool(1);
  DnsServer server(loop.get_executor(), timer, rng, pool, options(), "/nonexistent");
  server.zone().set_service({.key = {"default", "db"}, .headless = true});
  SliceInfo slice{.service = {"default", "db"}};
  for (uint32_t i = 1; i <= 60; ++i) {
    slice.endpoints.push_back({Ipv4(options().pods.first().value() + i)});
  }
  server.zone().set_slice({"default", "db-1"}, slice);
  const auto port = server.listen("127.0.0.1", 0);
  ASSERT_TRUE(port.has_value()) << port.error().message();

  SocketExchange client(loop.get_executor(), timer);
  const auto done = run(loop, [&]() -> Task<> {
    const Upstream there{"127.0.0.1", *port};
    const std::string name = "db.default.svc.cluster.local";
    const auto limit = std::chrono::seconds(10);
    CO_TRY(const Bytes udp,
           co_await client.ask(there, encode_query(1, name, Type::kA, 0), Transport::kUdp, limit));
    EXPECT_LE(udp.size(), kPlainUdpBytes);
    EXPECT_NE(udp[2] & 2, 0) << "truncated";
    CO_TRY(const Bytes edns, co_await client.ask(there, encode_query(2, name, Type::kA, 1232),
                                                 Transport::kUdp, limit));
    EXPECT_EQ(answer_lines(edns)->size(), 60u);
    CO_TRY(const Bytes tcp,
           co_await client.ask(there, encode_query(3, name, Type::kA, 0), Transport::kTcp, limit));
    EXPECT_EQ(answer_lines(tcp)->size(), 60u);
    CO_TRY(const Bytes foreign,
           co_await client.ask(there, encode_query(4, "example.org", Type::kA, 0), Transport::kUdp,
                               limit));
    EXPECT_EQ(foreign[3] & 15, uint8_t(Rcode::kServerFailure)) << "there is no resolv.conf";
    co_await server.stop();
    co_return Unit{};
  });
  EXPECT_TRUE(done.has_value()) << done.error().message();
}

// Two servers in a row: pods ask the first, which asks the second as the host's resolver.
TEST(DnsServer, ForwardsToTheServersOfTheHost) {
  asio::io_context loop;
  SystemTimer timer;
  SystemRng rng;
  BlockingPool pool(1);
  DnsServer upstream(loop.get_executor(), timer, rng, pool, options(), "/nonexistent");
  upstream.zone().set_service(
      {.key = {"default", "web"}, .cluster_ips = {*Ipv4::parse("10.96.0.7")}});
  const auto port = upstream.listen("127.0.0.1", 0);
  ASSERT_TRUE(port.has_value());
  SocketExchange exchange(loop.get_executor(), timer);
  Forwarder forwarder(timer, rng, exchange,
                      [&] { return std::vector<Upstream>{{"127.0.0.1", *port}}; });
  for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
    loop.restart();
    const auto done = run(loop, [&]() -> Task<> {
      forwarder.cache().clear();
      const Bytes packet = encode_query(9, "web.default.svc.cluster.local", Type::kA, 1232);
      CO_TRY(const Query query, parse_query(packet));
      CO_TRY(const Bytes reply, co_await forwarder.ask(query, packet, transport));
      EXPECT_EQ(reply[1], 9) << "the client's id";
      EXPECT_EQ(answer_lines(reply)->at(0), "web.default.svc.cluster.local. 5 IN A 10.96.0.7");
      EXPECT_EQ(forwarder.cache().size(), 1u);
      co_return Unit{};
    });
    EXPECT_TRUE(done.has_value()) << done.error().message();
  }
  loop.restart();
  EXPECT_TRUE(run(loop, [&]() -> Task<> {
    co_await upstream.stop();
    co_return Unit{};
  }));
}

TEST(DnsServer, ATakenPortSaysSo) {
  asio::io_context loop;
  SystemTimer timer;
  SystemRng rng;
  BlockingPool pool(1);
  DnsServer first(loop.get_executor(), timer, rng, pool, options(), "/nonexistent");
  DnsServer second(loop.get_executor(), timer, rng, pool, options(), "/nonexistent");
  const auto port = first.listen("127.0.0.1", 0);
  ASSERT_TRUE(port.has_value());
  const auto taken = second.listen("127.0.0.1", *port);
  ASSERT_FALSE(taken.has_value());
  EXPECT_NE(taken.error().message().find("taken by another name server"), std::string::npos);
  EXPECT_TRUE(run(loop, [&]() -> Task<> {
    co_await first.stop();
    co_await second.stop();
    co_return Unit{};
  }));
}

}  // namespace
}  // namespace atl::network::dns

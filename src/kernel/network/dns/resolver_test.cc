#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "kernel/network/dns/server.h"

namespace atl::network::dns {
namespace {

using ::testing::ElementsAre;

Options options() {
  Options out;
  out.pods = *Ipv4Range::parse("10.42.0.0/16");
  out.services = *Ipv4Range::parse("10.96.0.0/16");
  out.link_ip = *Ipv4::parse("169.254.20.1");
  out.dns_ip = *Ipv4::parse("10.96.0.10");
  return out;
}

// Other people's name servers, in memory.
class FakeExchange final : public Exchange {
 public:
  using Server = std::function<Result<Bytes>(const Query&, const Bytes& packet, Transport)>;
  Task<Bytes> ask(Upstream upstream, Bytes query, Transport transport, Duration) override {
    asked.push_back(upstream.address);
    const auto parsed = parse_query(query);
    EXPECT_TRUE(parsed);
    co_return servers.at(upstream.address)(*parsed, query, transport);
  }
  std::map<std::string, Server> servers;
  std::vector<std::string> asked;
};

FakeExchange::Server says(std::string address, uint32_t ttl_seconds = 60) {
  return [=](const Query& q, const Bytes&, Transport t) -> Result<Bytes> {
    const Record record{q.name, Type::kA, ttl_seconds, *Ipv4::parse(address)};
    return encode(q, {.answers = {record}}, t == Transport::kTcp ? kMostTcpBytes : q.udp_bytes);
  };
}
FakeExchange::Server fails(Rcode rcode) {
  return [=](const Query& q, const Bytes&, Transport) -> Result<Bytes> {
    return encode(q, {.rcode = rcode}, kMostTcpBytes);
  };
}
Result<Bytes> silence(const Query&, const Bytes&, Transport) {
  return Error(Code::kTimeout, "silence");
}

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest()
      : zone_(options()),
        forwarder_(timer_, rng_, exchange_, [this] { return upstreams_; }),
        resolver_(zone_, forwarder_) {
    exchange_.servers["1.1.1.1"] = says("192.0.2.1");
    exchange_.servers["2.2.2.2"] = says("192.0.2.2");
    zone_.set_service({.key = {"default", "outside"}, .external_name = "example.org"});
    zone_.set_service(
        {.key = {"default", "alias"}, .external_name = "web.default.svc.cluster.local"});
    zone_.set_service({.key = {"default", "web"}, .cluster_ips = {*Ipv4::parse("10.96.0.7")}});
    zone_.set_service({.key = {"default", "a"}, .external_name = "b.default.svc.cluster.local"});
    zone_.set_service({.key = {"default", "b"}, .external_name = "a.default.svc.cluster.local"});
  }
  Bytes raw(Bytes packet, Transport transport = Transport::kUdp) {
    Bytes out;
    loop_.restart();
    EXPECT_TRUE(run(loop_, [&]() -> Task<> {
      out = co_await resolver_.answer(packet, transport);
      co_return Unit{};
    }));
    return out;
  }
  // "SERVFAIL" and the like, or the answers.
  std::vector<std::string> ask(const std::string& name, Type type = Type::kA) {
    const Bytes reply = raw(encode_query(42, name, type, 1232));
    EXPECT_EQ(reply[0] << 8 | reply[1], 42);
    if ((reply[3] & 15) != 0) return {fmt::format("rcode {}", reply[3] & 15)};
    return *answer_lines(reply);
  }

  asio::io_context loop_;
  SimTimer timer_;
  SeededRng rng_{1};
  FakeExchange exchange_;
  std::vector<Upstream> upstreams_ = {{"1.1.1.1"}, {"2.2.2.2"}};
  Zone zone_;
  Forwarder forwarder_;
  Resolver resolver_;
};

TEST_F(ResolverTest, OwnNamesAreNeverAskedElsewhere) {
  EXPECT_THAT(ask("web.default.svc.cluster.local"),
              ElementsAre("web.default.svc.cluster.local. 5 IN A 10.96.0.7"));
  EXPECT_THAT(ask("nobody.default.svc.cluster.local"), ElementsAre("rcode 3"));
  EXPECT_TRUE(exchange_.asked.empty());
}

TEST_F(ResolverTest, OtherNamesAreAskedElsewhereAndKept) {
  EXPECT_THAT(ask("example.org"), ElementsAre("example.org. 60 IN A 192.0.2.1"));
  timer_.advance(std::chrono::seconds(20));
  EXPECT_THAT(ask("Example.org"), ElementsAre("Example.org. 40 IN A 192.0.2.1"))
      << "from memory, older by 20 s";
  EXPECT_EQ(exchange_.asked.size(), 1u);
  timer_.advance(std::chrono::seconds(11));
  ask("example.org");
  EXPECT_EQ(exchange_.asked.size(), 2u) << "nothing is kept for more than 30 s";
}

TEST_F(ResolverTest, AShortTtlIsKeptAsLongAsItSays) {
  exchange_.servers["1.1.1.1"] = says("192.0.2.1", 2);
  ask("example.org");
  timer_.advance(std::chrono::seconds(3));
  ask("example.org");
  EXPECT_EQ(exchange_.asked.size(), 2u);
}

TEST_F(ResolverTest, ASilentServerIsPassedOverAndThenAskedLast) {
  exchange_.servers["1.1.1.1"] = silence;
  EXPECT_THAT(ask("one.org"), ElementsAre("one.org. 60 IN A 192.0.2.2"));
  EXPECT_THAT(ask("two.org"), ElementsAre("two.org. 60 IN A 192.0.2.2"));
  EXPECT_THAT(exchange_.asked, ElementsAre("1.1.1.1", "2.2.2.2", "2.2.2.2"));
}

TEST_F(ResolverTest, AFailureIsHandedOnOnlyWhenNobodyKnowsBetter) {
  exchange_.servers["1.1.1.1"] = fails(Rcode::kServerFailure);
  EXPECT_THAT(ask("one.org"), ElementsAre("one.org. 60 IN A 192.0.2.2"));
  exchange_.servers["2.2.2.2"] = fails(Rcode::kRefused);
  EXPECT_THAT(ask("two.org"), ElementsAre("rcode 2"));
  exchange_.servers["1.1.1.1"] = exchange_.servers["2.2.2.2"] = silence;
  EXPECT_THAT(ask("three.org"), ElementsAre("rcode 2"));
  upstreams_.clear();
  EXPECT_THAT(ask("four.org"), ElementsAre("rcode 2"));
}

TEST_F(ResolverTest, AReplyToAnotherQuestionIsNoReply) {
  exchange_.servers["1.1.1.1"] = [](const Query& q, const Bytes&, Transport) -> Result<Bytes> {
    Query other = q;
    other.name = "evil.org";
    return encode(other, {.answers = {{"evil.org", Type::kA, 60, *Ipv4::parse("6.6.6.6")}}}, 512);
  };
  EXPECT_THAT(ask("good.org"), ElementsAre("good.org. 60 IN A 192.0.2.2"));
}

TEST_F(ResolverTest, AnExternalNameIsResolvedToItsEnd) {
  EXPECT_THAT(ask("outside.default.svc.cluster.local"),
              ElementsAre("outside.default.svc.cluster.local. 5 IN CNAME example.org.",
                          "example.org. 60 IN A 192.0.2.1"));
  EXPECT_THAT(
      ask("alias.default.svc.cluster.local"),
      ElementsAre("alias.default.svc.cluster.local. 5 IN CNAME web.default.svc.cluster.local.",
                  "web.default.svc.cluster.local. 5 IN A 10.96.0.7"));
  EXPECT_EQ(ask("a.default.svc.cluster.local").size(), 9u) << "a circle ends";
}

TEST_F(ResolverTest, WhatIsNoGoodQueryGetsACleanRefusal) {
  Bytes query = encode_query(42, "example.org", Type::kA, 0);
  EXPECT_TRUE(raw({1, 2, 3}).empty());
  Bytes reply = query;
  reply[2] |= 0x80;
  EXPECT_TRUE(raw(reply).empty());
  Bytes notify = query;
  notify[2] |= 0x20;
  EXPECT_EQ(raw(notify)[3] & 15, uint8_t(Rcode::kNotImplemented));
  Bytes cut(query.begin(), query.begin() + 15);
  EXPECT_EQ(raw(cut)[3] & 15, uint8_t(Rcode::kFormat));
  Bytes chaos = query;
  chaos.back() = 3;  // class CHAOS
  EXPECT_EQ(raw(chaos)[3] & 15, uint8_t(Rcode::kRefused));
}

TEST(Upstreams, AreTheNameserverLines) {
  const struct {
    const char* text;
    std::vector<std::string> want;
  } cases[] = {
      {"nameserver 127.0.0.53\noptions edns0\n", {"127.0.0.53"}},
      {"# nameserver 1.1.1.1\nsearch lan\nnameserver  2001:db8::1\n", {"2001:db8::1"}},
      {"nameserver 169.254.20.1\nnameserver 1.1.1.1\n", {"1.1.1.1"}},
      {"nameserver fe80::1%eth0\nnameserver dns.example.org\n", {}},
      {"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
       {"1.1.1.1", "2.2.2.2", "3.3.3.3"}},
      {"", {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    std::vector<std::string> got;
    for (const Upstream& u : parse_resolv_conf(c.text, *Ipv4::parse("169.254.20.1"))) {
      got.push_back(u.address);
    }
    EXPECT_EQ(got, c.want);
  }
}

TEST(Cache, IsBounded) {
  FakeClock clock;
  Cache cache(clock);
  for (int i = 0; i < 6000; ++i) {
    const std::string name = fmt::format("host{}.org", i);
    const Query query{.name = name, .lower = name};
    cache.keep(query, Bytes(100), 30);
  }
  EXPECT_EQ(cache.size(), Cache::kMostEntries);
  cache.keep({.name = "big", .lower = "big"}, Bytes(Cache::kMostBytes - 10), 30);
  EXPECT_EQ(cache.size(), 1u);
}

}  // namespace
}  // namespace atl::network::dns

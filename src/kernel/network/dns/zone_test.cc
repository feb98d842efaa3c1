#include "kernel/network/dns/zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace atl::network::dns {
namespace {

Ipv4 ip(const char* text) {
  return *Ipv4::parse(text);
}

Options options() {
  Options out;
  out.pods = *Ipv4Range::parse("10.42.0.0/16");
  out.services = *Ipv4Range::parse("10.96.0.0/16");
  out.link_ip = ip("169.254.20.1");
  out.dns_ip = ip("10.96.0.10");
  return out;
}

Zone zone() {
  Zone out(options());
  out.set_service({.key = {"default", "web"},
                   .cluster_ips = {ip("10.96.0.7")},
                   .ports = {{"http", Protocol::kTcp, 80}, {"dns", Protocol::kUdp, 53}}});
  out.set_service(
      {.key = {"default", "db"}, .headless = true, .ports = {{"sql", Protocol::kTcp, 5432}}});
  out.set_slice({"default", "db-1"}, {.service = {"default", "db"},
                                      .endpoints = {{ip("10.42.0.5"), true, "db-0", "db-0"},
                                                    {ip("10.42.0.6")},
                                                    {ip("10.42.0.9"), false, "db-9"}},
                                      .ports = {{"sql", Protocol::kTcp, 15432}}});
  out.set_service({.key = {"default", "outside"}, .external_name = "Example.ORG"});
  out.set_service({.key = {"default", "alias"}, .external_name = "web.default.svc.cluster.local"});
  out.set_service({.key = {"other", "empty"}, .headless = true});
  return out;
}

// The answer as one line: "NXDOMAIN", "no data" or the records, sorted.
std::string ask(const Zone& zone, const std::string& name, Type type) {
  const Query query{.name = name, .lower = lower(name), .type = type};
  const Bytes packet = encode(query, zone.answer(query).reply, kMostTcpBytes);
  std::vector<std::string> lines = *answer_lines(packet);
  if (lines.empty()) return (packet[3] & 15) == uint8_t(Rcode::kNoName) ? "NXDOMAIN" : "no data";
  std::ranges::sort(lines);
  std::string out;
  for (const std::string& line : lines) {
    const size_t data = line.find(" IN ");
    out += (out.empty() ? "" : " | ") + line.substr(data + 4);
  }
  return out;
}

TEST(Zone, AnswersAsTheSpecificationSays) {
  const Zone z = zone();
  const struct {
    const char* why;
    const char* name;
    Type type;
    const char* want;
  } cases[] = {
      {"a Service has its ClusterIP", "web.default.svc.cluster.local", Type::kA, "A 10.96.0.7"},
      {"names are compared without case", "WEB.Default.svc.Cluster.local", Type::kA, "A 10.96.0.7"},
      {"no IPv6, but the name exists", "web.default.svc.cluster.local", Type::kAaaa, "no data"},
      {"no such Service", "nobody.default.svc.cluster.local", Type::kA, "NXDOMAIN"},
      {"no such namespace", "web.nowhere.svc.cluster.local", Type::kA, "NXDOMAIN"},
      {"a search list's nonsense", "example.org.default.svc.cluster.local", Type::kA, "NXDOMAIN"},
      {"a namespace has names below it", "default.svc.cluster.local", Type::kA, "no data"},
      {"so has the zone", "svc.cluster.local", Type::kA, "no data"},
      {"a port", "_http._tcp.web.default.svc.cluster.local", Type::kSrv,
       "SRV 0 100 80 web.default.svc.cluster.local."},
      {"the protocol counts", "_http._udp.web.default.svc.cluster.local", Type::kSrv, "NXDOMAIN"},
      {"a UDP port", "_dns._udp.web.default.svc.cluster.local", Type::kSrv,
       "SRV 0 100 53 web.default.svc.cluster.local."},
      {"SRV names have no address", "_http._tcp.web.default.svc.cluster.local", Type::kA,
       "no data"},
      {"what lies between", "_tcp.web.default.svc.cluster.local", Type::kA, "no data"},
      {"a headless Service has its ready endpoints", "db.default.svc.cluster.local", Type::kA,
       "A 10.42.0.5 | A 10.42.0.6"},
      {"an endpoint with a hostname", "db-0.db.default.svc.cluster.local", Type::kA, "A 10.42.0.5"},
      {"one without", "10-42-0-6.db.default.svc.cluster.local", Type::kA, "A 10.42.0.6"},
      {"one that is not ready", "db-9.db.default.svc.cluster.local", Type::kA, "NXDOMAIN"},
      {"endpoints have no names under a ClusterIP", "10-42-0-6.web.default.svc.cluster.local",
       Type::kA, "NXDOMAIN"},
      {"ports of a headless Service are the pods'", "_sql._tcp.db.default.svc.cluster.local",
       Type::kSrv,
       "SRV 0 100 15432 10-42-0-6.db.default.svc.cluster.local. | "
       "SRV 0 100 15432 db-0.db.default.svc.cluster.local."},
      {"a headless Service nobody serves exists", "empty.other.svc.cluster.local", Type::kA,
       "no data"},
      {"an external name", "outside.default.svc.cluster.local", Type::kA, "CNAME Example.ORG."},
      {"asked for itself", "outside.default.svc.cluster.local", Type::kCname, "CNAME Example.ORG."},
      {"a pod by its address", "10-42-7-1.default.pod.cluster.local", Type::kA, "A 10.42.7.1"},
      {"no pod has that address", "10-43-7-1.default.pod.cluster.local", Type::kA, "NXDOMAIN"},
      {"nor that one", "10-042-7-1.default.pod.cluster.local", Type::kA, "NXDOMAIN"},
      {"back from a ClusterIP", "7.0.96.10.in-addr.arpa", Type::kPtr,
       "PTR web.default.svc.cluster.local."},
      {"back from an endpoint", "5.0.42.10.in-addr.arpa", Type::kPtr,
       "PTR db-0.db.default.svc.cluster.local."},
      {"back from nothing", "8.0.42.10.in-addr.arpa", Type::kPtr, "NXDOMAIN"},
      {"the version of the specification", "dns-version.cluster.local", Type::kTxt,
       "TXT \"1.1.0\""},
      {"the zone's own server", "ns.dns.cluster.local", Type::kA, "A 10.96.0.10"},
      {"everything about a name", "web.default.svc.cluster.local", Type::kAny, "A 10.96.0.7"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(ask(z, c.name, c.type), c.want);
  }
}

TEST(Zone, OwnsTheClustersNamesOnly) {
  const Zone z = zone();
  for (const char* name : {"cluster.local", "a.b.cluster.local", "7.0.96.10.in-addr.arpa"}) {
    EXPECT_TRUE(z.owns(name)) << name;
  }
  for (const char* name : {"example.org", "notcluster.local", "local", "", "in-addr.arpa",
                           "1.2.0.192.in-addr.arpa", "0.96.10.in-addr.arpa"}) {
    EXPECT_FALSE(z.owns(name)) << name;
  }
}

TEST(Zone, ANegativeAnswerCarriesTheSoa) {
  const Query query{.name = "x.y.svc.cluster.local", .lower = "x.y.svc.cluster.local"};
  const Reply reply = zone().answer(query).reply;
  ASSERT_EQ(reply.authority.size(), 1u);
  EXPECT_EQ(reply.authority[0].zone, "cluster.local");
  const auto facts = inspect_reply(query, encode(query, reply, kMostTcpBytes));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->ttl_seconds, 5u);
}

TEST(Zone, FollowsChanges) {
  Zone z = zone();
  z.set_slice({"default", "db-1"},
              {.service = {"default", "db"}, .endpoints = {{ip("10.42.0.8")}}});
  EXPECT_EQ(ask(z, "db.default.svc.cluster.local", Type::kA), "A 10.42.0.8");
  EXPECT_EQ(ask(z, "5.0.42.10.in-addr.arpa", Type::kPtr), "NXDOMAIN");
  z.remove_slice({"default", "db-1"});
  EXPECT_EQ(ask(z, "db.default.svc.cluster.local", Type::kA), "no data");
  z.set_service({.key = {"default", "web"}, .cluster_ips = {ip("10.96.0.8")}});
  EXPECT_EQ(ask(z, "7.0.96.10.in-addr.arpa", Type::kPtr), "NXDOMAIN");
  EXPECT_EQ(ask(z, "8.0.96.10.in-addr.arpa", Type::kPtr), "PTR web.default.svc.cluster.local.");
  z.remove_service({"other", "empty"});
  EXPECT_EQ(ask(z, "other.svc.cluster.local", Type::kA), "NXDOMAIN");
}

TEST(Zone, SeveralAddressesTakeTurns) {
  const Zone z = zone();
  const Query query{.name = "db.default.svc.cluster.local",
                    .lower = "db.default.svc.cluster.local"};
  const auto first = [&] { return std::get<Ipv4>(z.answer(query).reply.answers[0].data); };
  const Ipv4 once = first(), then = first();
  EXPECT_NE(once, then);
  EXPECT_EQ(first(), once);
}

TEST(Message, ALongAnswerIsCutAndSaysSo) {
  const Query query{.name = "db.default.svc.cluster.local",
                    .lower = "db.default.svc.cluster.local"};
  Reply reply;
  for (uint32_t i = 1; i <= 100; ++i) {
    reply.answers.push_back({query.name, Type::kA, 5, Ipv4(ip("10.42.0.0").value() + i)});
  }
  const Bytes cut = encode(query, reply, kPlainUdpBytes);
  EXPECT_LE(cut.size(), kPlainUdpBytes);
  EXPECT_GT(cut.size(), kPlainUdpBytes - 20);
  EXPECT_NE(cut[2] & 2, 0) << "truncated";
  const Bytes whole = encode(query, reply, kMostTcpBytes);
  EXPECT_EQ(whole[2] & 2, 0);
  EXPECT_EQ(answer_lines(whole)->size(), 100u);
}

TEST(Message, ReadsQueriesAndNothingElse) {
  const Bytes good = encode_query(7, "Web.Example.ORG", Type::kA, 4096);
  const auto query = parse_query(good);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->id, 7);
  EXPECT_EQ(query->name, "Web.Example.ORG");
  EXPECT_EQ(query->lower, "web.example.org");
  EXPECT_EQ(query->udp_bytes, kMostUdpBytes) << "no more than passes everywhere";
  EXPECT_EQ(parse_query(encode_query(7, "a", Type::kA, 0))->udp_bytes, kPlainUdpBytes);

  Bytes reply = good;
  reply[2] |= 0x80;
  EXPECT_EQ(parse_query(reply).error().code(), Code::kBadRequest) << "a reply gets no reply";
  EXPECT_TRUE(refusal(reply, Rcode::kFormat).empty());
  EXPECT_EQ(parse_query(Bytes{1, 2, 3}).error().code(), Code::kBadRequest);
  Bytes status = good;
  status[2] |= 0x10;  // opcode STATUS
  EXPECT_EQ(parse_query(status).error().code(), Code::kInvalid);
  Bytes two = good;
  two[5] = 2;  // two questions announced
  EXPECT_EQ(parse_query(two).error().code(), Code::kInvalid);
  Bytes short_one(good.begin(), good.begin() + 20);
  EXPECT_EQ(parse_query(short_one).error().code(), Code::kInvalid);
}

}  // namespace
}  // namespace atl::network::dns

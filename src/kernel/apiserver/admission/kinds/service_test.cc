#include "kernel/apiserver/admission/kinds/service.h"

#include <gtest/gtest.h>

#include <set>

#include "kernel/apiserver/admission/kinds/test_writes.h"
#include "kernel/apiserver/auth/fake_reader.h"

namespace atl::apiserver {
namespace {

class Services : public testing::Test {
 protected:
  json::Value service(std::string name, std::string_view spec) const {
    return json::Object{{"apiVersion", "v1"},
                        {"kind", "Service"},
                        {"metadata", json::Object{{"name", name}, {"namespace", "n1"}}},
                        {"spec", doc(spec)}};
  }
  // A write as the server makes it; the stored one reaches the reader before settle().
  Result<json::Value> create(std::string name, std::string_view spec, bool stored = true) {
    TestWrite write(service(name, spec));
    return put(write, stored);
  }
  Result<json::Value> put(TestWrite& write, bool stored = true) {
    TRY_OK(hook_.prepare(write.context));
    auto findings = hook_.validate(write.context);
    if (!findings.empty()) return Error(Code::kInvalid, texts(findings));
    TRY_OK(hook_.reserve(write.context));
    if (stored) reader_.put("", "services", write.object);
    hook_.settle(write.context, stored);
    return write.object;
  }

  FakeReader reader_;
  SeededRng rng_{5};
  ServiceSettings settings_{.cluster_ips = *AddressRange::parse("10.96.0.0/24"),
                            .first_node_port = 30000,
                            .node_ports = 4};
  ServiceHook hook_{reader_, rng_, settings_};
};

TEST_F(Services, GetAnAddressOutsideOfTheReservedBand) {
  const auto made = create("web", R"({"ports":[{"port":80}]})");
  ASSERT_TRUE(made.has_value()) << made.error().message();
  const auto address = parse_ipv4(json::string_at(*made, {"spec", "clusterIP"}));
  ASSERT_TRUE(address.has_value());
  EXPECT_GE(*address, *parse_ipv4("10.96.0.17"));
  EXPECT_EQ(json::array_at(*made, {"spec", "clusterIPs"}).at(0).as_string(),
            json::string_at(*made, {"spec", "clusterIP"}));
  EXPECT_EQ(json::string_at(*made, {"spec", "type"}), "ClusterIP");
  EXPECT_EQ(json::int_at(json::array_at(*made, {"spec", "ports"}).front(), {"targetPort"}), 80);
  EXPECT_EQ(json::string_at(json::array_at(*made, {"spec", "ports"}).front(), {"protocol"}), "TCP");
  EXPECT_EQ(json::string_at(*made, {"spec", "internalTrafficPolicy"}), "Cluster");
  EXPECT_EQ(json::string_at(*made, {"spec", "ipFamilyPolicy"}), "SingleStack");
}

TEST_F(Services, EveryAddressIsGivenOnceAndThenNone) {
  std::set<std::string> seen;
  for (int i = 0; i < 254; ++i) {
    const auto made = create("s" + std::to_string(i), R"({"ports":[{"port":80}]})");
    ASSERT_TRUE(made.has_value()) << i << made.error().message();
    seen.emplace(json::string_at(*made, {"spec", "clusterIP"}));
  }
  EXPECT_EQ(seen.size(), 254U);
  EXPECT_FALSE(seen.contains("10.96.0.0"));
  EXPECT_FALSE(seen.contains("10.96.0.255"));
  EXPECT_EQ(create("more", R"({"ports":[{"port":80}]})").error().code(), Code::kExhausted);
  reader_.remove("", "services", {"n1", "s7"});
  EXPECT_TRUE(create("more", R"({"ports":[{"port":80}]})").has_value())
      << "a deleted Service gives its address back";
}

TEST_F(Services, TwoRequestsUnderWayGetTwoAddresses) {
  TestWrite a(service("a", R"({"clusterIP":"10.96.0.5","ports":[{"port":80}]})"));
  TestWrite b(service("b", R"({"clusterIP":"10.96.0.5","ports":[{"port":80}]})"));
  ASSERT_TRUE(hook_.prepare(a.context).has_value());
  ASSERT_TRUE(hook_.prepare(b.context).has_value());
  ASSERT_TRUE(hook_.reserve(a.context).has_value());
  EXPECT_NE(hook_.reserve(b.context).error().message().find("provided IP is already allocated"),
            std::string::npos);
  hook_.settle(a.context, false);  // the first one failed after all
  EXPECT_TRUE(hook_.reserve(b.context).has_value());
}

TEST_F(Services, WhatIsStoredIsKnownAfterAStart) {
  reader_.put(
      "", "services",
      service(
          "old",
          R"({"type":"NodePort","clusterIP":"10.96.0.9","ports":[{"port":1,"nodePort":30001}]})"));
  ServiceHook fresh(reader_, rng_, settings_);
  TestWrite address(service("x", R"({"clusterIP":"10.96.0.9","ports":[{"port":80}]})"));
  ASSERT_TRUE(fresh.prepare(address.context).has_value());
  EXPECT_FALSE(fresh.reserve(address.context).has_value());
  TestWrite port(service("y", R"({"type":"NodePort","ports":[{"port":80,"nodePort":30001}]})"));
  ASSERT_TRUE(fresh.prepare(port.context).has_value());
  EXPECT_NE(
      fresh.reserve(port.context).error().message().find("provided port is already allocated"),
      std::string::npos);
}

TEST_F(Services, HeadlessAndExternalNameGetNone) {
  const auto headless = create("h", R"({"clusterIP":"None"})");
  ASSERT_TRUE(headless.has_value()) << headless.error().message();
  EXPECT_EQ(json::string_at(*headless, {"spec", "clusterIP"}), "None");
  const auto external = create("e", R"({"type":"ExternalName","externalName":"db.example.com"})");
  ASSERT_TRUE(external.has_value()) << external.error().message();
  EXPECT_EQ(json::find(*external, {"spec", "clusterIP"}), nullptr);
  EXPECT_EQ(json::find(*external, {"spec", "ipFamilies"}), nullptr);
}

TEST_F(Services, NodePortsAreUniqueAndExplicitOnesComeFirst) {
  const auto made = create(
      "a",
      R"({"type":"NodePort","ports":[{"name":"x","port":80},{"name":"y","port":81,"nodePort":30002}]})");
  ASSERT_TRUE(made.has_value()) << made.error().message();
  const json::Array& ports = json::array_at(*made, {"spec", "ports"});
  EXPECT_EQ(json::int_at(ports[1], {"nodePort"}), 30002);
  EXPECT_NE(json::int_at(ports[0], {"nodePort"}), 30002);
  EXPECT_EQ(json::string_at(*made, {"spec", "externalTrafficPolicy"}), "Cluster");
  EXPECT_NE(create("b", R"({"type":"NodePort","ports":[{"port":80,"nodePort":29999}]})")
                .error()
                .message()
                .find("30000-30003"),
            std::string::npos);
  EXPECT_TRUE(create("c", R"({"type":"NodePort","ports":[{"port":80}]})").has_value());
  EXPECT_TRUE(create("d", R"({"type":"NodePort","ports":[{"port":80}]})").has_value());
  EXPECT_EQ(create("e", R"({"type":"NodePort","ports":[{"port":80}]})").error().code(),
            Code::kExhausted);
  EXPECT_TRUE(create("dns", R"({"clusterIP":"None"})").has_value());
}

TEST_F(Services, OneNumberServesTcpAndUdpOfOneService) {
  EXPECT_TRUE(
      create(
          "dns",
          R"({"type":"NodePort","ports":[{"name":"u","port":53,"protocol":"UDP","nodePort":30003},
                                                          {"name":"t","port":53,"protocol":"TCP","nodePort":30003}]})")
          .has_value());
}

TEST_F(Services, UpdateKeepsWhatTheServerGave) {
  const auto made = create("a", R"({"type":"NodePort","ports":[{"port":80}]})");
  ASSERT_TRUE(made.has_value());
  TestWrite again(
      service("a", R"({"type":"NodePort","ports":[{"port":80}],"selector":{"app":"x"}})"), *made);
  const auto updated = put(again);
  ASSERT_TRUE(updated.has_value()) << updated.error().message();
  EXPECT_EQ(json::string_at(*updated, {"spec", "clusterIP"}),
            json::string_at(*made, {"spec", "clusterIP"}));
  EXPECT_EQ(json::int_at(json::array_at(*updated, {"spec", "ports"})[0], {"nodePort"}),
            json::int_at(json::array_at(*made, {"spec", "ports"})[0], {"nodePort"}));

  json::Value plain = *updated;
  json::set(plain, {"spec", "type"}, json::Value("ClusterIP"));
  TestWrite narrower(plain, *updated);
  const auto cluster = put(narrower);
  ASSERT_TRUE(cluster.has_value()) << cluster.error().message();
  EXPECT_EQ(json::find(json::array_at(*cluster, {"spec", "ports"})[0], {"nodePort"}), nullptr);
  EXPECT_EQ(json::find(*cluster, {"spec", "externalTrafficPolicy"}), nullptr);

  json::Value external = *cluster;
  json::set(external, {"spec", "type"}, json::Value("ExternalName"));
  json::set(external, {"spec", "externalName"}, json::Value("db.example.com"));
  TestWrite moved(external, *cluster);
  const auto away = put(moved);
  ASSERT_TRUE(away.has_value()) << away.error().message();
  EXPECT_EQ(json::find(*away, {"spec", "clusterIP"}), nullptr);
}

TEST_F(Services, Rules) {
  struct Case {
    const char* why;
    const char* spec;
    const char* want;
  };
  const Case cases[] = {
      {"no ports", R"({})", "spec.ports: Required value"},
      {"two ports need names", R"({"ports":[{"port":80},{"port":81}]})",
       "spec.ports[0].name: Required value | spec.ports[1].name: Required value"},
      {"the same name twice", R"({"ports":[{"name":"a","port":80},{"name":"a","port":81}]})",
       "spec.ports[1].name: Duplicate value: \"a\""},
      {"a target port that is none", R"({"ports":[{"port":80,"targetPort":70000}]})",
       "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive"},
      {"a node port without the type", R"({"ports":[{"port":80,"nodePort":30001}]})",
       "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
      {"a headless node port", R"({"type":"NodePort","clusterIP":"None","ports":[{"port":80}]})",
       "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort "
       "services"},
      {"an external name without one", R"({"type":"ExternalName"})",
       "spec.externalName: Required value"},
      {"another family", R"({"ipFamilies":["IPv6"],"ports":[{"port":80}]})",
       "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"},
      {"no address", R"({"clusterIP":"10.96.0.300","ports":[{"port":80}]})",
       "spec.clusterIPs[0]: Invalid value: \"10.96.0.300\": must be a valid IP address, (e.g. "
       "10.9.8.7)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto made = create("x", c.spec);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().message(), c.want);
  }
  EXPECT_NE(create("x", R"({"clusterIP":"10.97.0.1","ports":[{"port":80}]})")
                .error()
                .message()
                .find("is not in the valid range"),
            std::string::npos);
}

TEST_F(Services, AddressMayNotChange) {
  const auto made = create("a", R"({"ports":[{"port":80}]})");
  json::Value other = *made;
  json::set(other, {"spec", "clusterIP"}, json::Value("10.96.0.99"));
  json::set(other, {"spec", "clusterIPs"}, json::Array{"10.96.0.99"});
  TestWrite write(other, *made);
  EXPECT_NE(put(write).error().message().find("may not change once set"), std::string::npos);
}

TEST(AddressRangeTest, ReadsRanges) {
  EXPECT_EQ(AddressRange::parse("10.96.0.7/16")->base, *parse_ipv4("10.96.0.0"));
  for (const char* bad : {"", "10.96.0.0", "10.96.0.0/33", "10.96.0.0/31", "10.96.0/16",
                          "10.96.0.0.0/16", "a/16", "010.0.0.0/8", "10.96.0.0/ 16"}) {
    EXPECT_FALSE(AddressRange::parse(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace atl::apiserver

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/controller/conditions.h"
#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/node_health.h"
#include "kernel/controllers/taint_eviction.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

TEST(LeavesAt, Rows) {
  const WallTime now(1000s);
  const json::Array taints{json::Object{{"key", "k"},
                                        {"value", "v"},
                                        {"effect", "NoExecute"},
                                        {"timeAdded", rfc3339(WallTime(900s))}}};
  struct Case {
    const char* sentence;
    const char* tolerations;
    std::optional<WallTime> at;
  };
  const Case cases[] = {
      {"without a toleration at once", "[]", now},
      {"with one for ever never", R"([{"key":"k","operator":"Exists","effect":"NoExecute"}])",
       std::nullopt},
      {"with seconds from when the taint came",
       R"([{"key":"k","operator":"Exists","tolerationSeconds":300}])", WallTime(1200s)},
      {"the least of several",
       R"([{"key":"k","value":"v","tolerationSeconds":300},{"operator":"Exists","tolerationSeconds":150}])",
       WallTime(1050s)},
      {"one of another value does not count", R"([{"key":"k","value":"w"}])", now},
      {"nor of another effect", R"([{"key":"k","operator":"Exists","effect":"NoSchedule"}])", now},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    json::Value pod;
    json::set(pod, {"spec", "tolerations"}, manifest(c.tolerations));
    EXPECT_EQ(leaves_at(pod, taints, now), c.at);
  }
}

class NodeTest : public testing::Test {
 protected:
  NodeTest() {
    cluster_.add<NodeHealthController>();
    cluster_.add<TaintEvictionController>();
    cluster_.add<PodGarbageCollector>();
    put(kNodes, R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"spec":{},
      "status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"2027-01-15T08:00:00Z"}]}})");
    put(kPods,
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"d"},"spec":{"nodeName":"n1","tolerations":[
      {"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]},
      "status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})");
  }
  void put(const api::Gvr& resource, std::string_view text) {
    ASSERT_TRUE(cluster_.world.client.put(resource, manifest(text)));
  }
  void renew() {
    json::Value lease = manifest(
        R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"n1","namespace":"kube-node-lease"}})");
    json::set(lease, {"spec", "renewTime"}, json::Value(rfc3339_micro(cluster_.world.timer.now())));
    ASSERT_TRUE(cluster_.world.client.put(kLeases, lease));
  }
  std::string ready() const {
    const json::Value node = cluster_.get(kNodes, {"", "n1"});
    const json::Value* c =
        api::find_condition(json::array_at(node, {"status", "conditions"}), "Ready");
    return c ? std::string(json::string_at(*c, {"status"})) : "";
  }
  std::vector<std::string> taints() const {
    std::vector<std::string> out;
    const json::Value node = cluster_.get(kNodes, {"", "n1"});
    for (const json::Value& t : json::array_at(node, {"spec", "taints"})) {
      out.push_back(std::string(json::string_at(t, {"key"})) + ":" +
                    std::string(json::string_at(t, {"effect"})));
    }
    return out;
  }
  bool pod_deleting() const {
    const api::ObjectPtr pod = cluster_.world.client.peek(kPods, {"d", "p"});
    return !pod || pod->header().deleting;
  }
  FakeCluster cluster_;
};

TEST_F(NodeTest, RenewalsKeepItReady) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    for (int i = 0; i < 60; ++i) {
      renew();
      co_await cluster_.settle(10s);
    }
    EXPECT_EQ(ready(), "True");
    EXPECT_TRUE(taints().empty());
    EXPECT_LT(cluster_.loop(0).stats().reconciles, 20u) << "a renewal must not cost a reconcile";
    co_return Unit{};
  }),
            "");
}

TEST_F(NodeTest, SilenceIsNoticedAndPodsLeaveInTime) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    renew();
    co_await cluster_.settle(45s);
    EXPECT_EQ(ready(), "True");
    co_await cluster_.settle(10s);
    EXPECT_EQ(ready(), "Unknown");
    EXPECT_THAT(taints(),
                testing::UnorderedElementsAre("node.kubernetes.io/unreachable:NoSchedule",
                                              "node.kubernetes.io/unreachable:NoExecute"));
    const json::Value pod = cluster_.get(kPods, {"d", "p"});
    EXPECT_TRUE(api::condition_is(json::array_at(pod, {"status", "conditions"}), "Ready", "False"));
    co_await cluster_.settle(280s);
    EXPECT_FALSE(pod_deleting());
    co_await cluster_.settle(20s);
    EXPECT_TRUE(pod_deleting());
    co_return Unit{};
  }),
            "");
  EXPECT_THAT(cluster_.events(),
              testing::Contains("TaintManagerEviction: Marking for deletion Pod d/p"));
}

TEST_F(NodeTest, ANodeThatComesBackKeepsItsPods) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    co_await cluster_.settle(2min);
    EXPECT_EQ(ready(), "Unknown");
    put(kNodes, R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"spec":{},
      "status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"2027-01-15T08:02:00Z"}]}})");
    for (int i = 0; i < 60; ++i) {
      renew();
      co_await cluster_.settle(10s);
    }
    EXPECT_EQ(ready(), "True");
    EXPECT_TRUE(taints().empty());
    EXPECT_FALSE(pod_deleting());
    co_return Unit{};
  }),
            "");
}

TEST_F(NodeTest, CordonAndForeignTaintsStandTogether) {
  json::Value node =
      manifest(R"({"spec":{"unschedulable":true,"taints":[{"key":"mine","effect":"NoSchedule"},
    {"key":"node.kubernetes.io/not-ready","effect":"NoSchedule"}]},"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
  EXPECT_TRUE(set_condition_taints(node, WallTime(1s)));
  const json::Array& taints = json::array_at(node, {"spec", "taints"});
  ASSERT_EQ(taints.size(), 2u);
  EXPECT_EQ(json::string_at(taints[0], {"key"}), "mine");
  EXPECT_EQ(json::string_at(taints[1], {"key"}), "node.kubernetes.io/unschedulable");
  EXPECT_FALSE(set_condition_taints(node, WallTime(2s)));
}

TEST_F(NodeTest, PodsOfANodeThatIsGoneGo) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    co_await cluster_.settle(1s);
    EXPECT_TRUE(cluster_.world.client.drop(kNodes, {"", "n1"}));
    co_await cluster_.settle(1s);
    EXPECT_EQ(cluster_.world.client.peek(kPods, {"d", "p"}), nullptr);
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::controllers

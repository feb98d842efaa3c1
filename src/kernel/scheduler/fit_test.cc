#include "kernel/scheduler/fit.h"

#include <gtest/gtest.h>

#include "kernel/scheduler/decide.h"

namespace atl::scheduler {
namespace {

PodPtr pod(std::string_view spec, std::string_view name = "p", std::string_view labels = "{}") {
  json::Object meta{
      {"name", name}, {"namespace", "d"}, {"uid", name}, {"labels", *json::parse(labels)}};
  return *read_pod(*api::Object::from_document(
      json::Object{{"metadata", std::move(meta)}, {"spec", *json::parse(spec)}}, {}));
}
api::ObjectPtr node_object(std::string_view name, std::string_view spec, std::string_view labels,
                           std::string_view cpu) {
  json::Object allocatable{
      {"cpu", cpu}, {"memory", "4Gi"}, {"pods", "3"}, {"example.com/gpu", "1"}};
  return *api::Object::from_document(
      json::Object{{"metadata", json::Object{{"name", name}, {"labels", *json::parse(labels)}}},
                   {"spec", *json::parse(spec)},
                   {"status", json::Object{{"allocatable", std::move(allocatable)}}}},
      {});
}

TEST(Fit, Rows) {
  struct Case {
    const char* sentence;
    const char* pod;
    const char* node;
    std::vector<std::string> reasons;
  };
  const Case cases[] = {
      {"an empty pod fits", R"({})", R"({})", {}},
      {"requests within what is left fit",
       R"({"containers":[{"resources":{"requests":{"cpu":"1500m"}}}]})",
       R"({})",
       {}},
      {"all that lacks is named",
       R"({"containers":[{"resources":{"requests":{"cpu":"1501m","memory":"5Gi","example.com/gpu":2}}}]})",
       R"({})",
       {"Insufficient cpu", "Insufficient example.com/gpu", "Insufficient memory"}},
      {"containers add up",
       R"({"containers":[{"resources":{"requests":{"cpu":1}}},{"resources":{"requests":{"cpu":"501m"}}}]})",
       R"({})",
       {"Insufficient cpu"}},
      {"the largest init container counts, not their sum",
       R"({"initContainers":[{"resources":{"requests":{"cpu":1}}},{"resources":{"requests":{"cpu":"1500m"}}}]})",
       R"({})",
       {}},
      {"a sidecar adds to the containers",
       R"({"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":1}}}],
           "containers":[{"resources":{"requests":{"cpu":"501m"}}}]})",
       R"({})",
       {"Insufficient cpu"}},
      {"an init container runs beside the sidecars before it",
       R"({"initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":1}}},{"resources":{"requests":{"cpu":"501m"}}}]})",
       R"({})",
       {"Insufficient cpu"}},
      {"overhead counts", R"({"overhead":{"cpu":"1501m"}})", R"({})", {"Insufficient cpu"}},
      {"a named node must be this one",
       R"({"nodeName":"other"})",
       R"({})",
       {"node(s) didn't match the requested node name"}},
      {"a cordoned node takes nothing",
       R"({})",
       R"({"unschedulable":true})",
       {"node(s) were unschedulable"}},
      {"but for those who tolerate it",
       R"({"tolerations":[{"key":"node.kubernetes.io/unschedulable","operator":"Exists"}]})",
       R"({"unschedulable":true})",
       {}},
      {"taints keep away",
       R"({})",
       R"({"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]})",
       {"node(s) had untolerated taint(s)"}},
      {"a toleration of the value lets in",
       R"({"tolerations":[{"key":"k","value":"v","effect":"NoSchedule"}]})",
       R"({"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]})",
       {}},
      {"one of another effect does not",
       R"({"tolerations":[{"key":"k","value":"v","effect":"NoExecute"}]})",
       R"({"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]})",
       {"node(s) had untolerated taint(s)"}},
      {"a soft taint keeps nobody away",
       R"({})",
       R"({"taints":[{"key":"k","effect":"PreferNoSchedule"}]})",
       {}},
      {"an empty key with Exists tolerates all",
       R"({"tolerations":[{"operator":"Exists"}]})",
       R"({"taints":[{"key":"k","effect":"NoExecute"}]})",
       {}},
      {"the node selector must match",
       R"({"nodeSelector":{"disk":"hdd"}})",
       R"({})",
       {"node(s) didn't match Pod's node affinity/selector"}},
      {"any term of the affinity is enough",
       R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
          {"matchExpressions":[{"key":"disk","operator":"In","values":["hdd"]}]},
          {"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]}}}})",
       R"({})",
       {}},
      {"numbers compare as numbers",
       R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
          {"matchExpressions":[{"key":"cores","operator":"Gt","values":["16"]}]}]}}}})",
       R"({})",
       {"node(s) didn't match Pod's node affinity/selector"}},
      {"a host port that is taken",
       R"({"containers":[{"ports":[{"hostPort":80}]}]})",
       R"({})",
       {"node(s) didn't have free ports for the requested pod ports"}},
      {"the same number of another protocol is free",
       R"({"containers":[{"ports":[{"hostPort":80,"protocol":"UDP"}]}]})",
       R"({})",
       {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    ClusterState cluster;
    cluster.set_node(*node_object("n", c.node, R"({"disk":"ssd","cores":"8"})", "2"));
    cluster.assume(
        pod(R"({"containers":[{"ports":[{"hostPort":80}],"resources":{"requests":{"cpu":"500m"}}}]})",
            "there"),
        "n");
    EXPECT_EQ(fit(*pod(c.pod), cluster.nodes().at("n")), c.reasons);
  }
}

TEST(Fit, PodsAreCounted) {
  ClusterState cluster;
  cluster.set_node(*node_object("n", "{}", "{}", "2"));
  for (const char* name : {"a", "b", "c"}) cluster.assume(pod("{}", name), "n");
  EXPECT_EQ(fit(*pod("{}"), cluster.nodes().at("n")), std::vector<std::string>{"Too many pods"});
  cluster.remove_pod("b");
  EXPECT_TRUE(fit(*pod("{}"), cluster.nodes().at("n")).empty());
}

class DecideTest : public testing::Test {
 protected:
  DecideTest() {
    for (const char* name : {"a1", "a2", "b1"}) {
      cluster_.set_node(
          *node_object(name, "{}", R"({"zone":")" + std::string(name, 1) + R"("})", "2"));
    }
  }
  Decision decide_for(std::string_view spec, std::string_view labels = R"({"app":"web"})") {
    return decide(*pod(spec, "new", labels), cluster_, rng_);
  }
  void place(std::string_view name, std::string_view node, std::string_view spec = "{}") {
    cluster_.assume(pod(spec, name, R"({"app":"web"})"), std::string(node));
  }
  ClusterState cluster_;
  SeededRng rng_{1};
};

constexpr const char* kAway =
    R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
  {"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"web"}}}]}}})";
constexpr const char* kNear =
    R"({"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
  {"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"web"}}}]}}})";
constexpr const char* kSpread = R"({"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone",
  "whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}}]})";

TEST_F(DecideTest, OneSentenceNamesEveryReasonWithItsCount) {
  cluster_.set_node(*node_object("b1", R"({"unschedulable":true})", "{}", "2"));
  EXPECT_EQ(decide_for(R"({"containers":[{"resources":{"requests":{"cpu":"3"}}}]})").message,
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.");
  ClusterState empty;
  EXPECT_EQ(decide(*pod("{}"), empty, rng_).message, "no nodes available to schedule pods");
}

TEST_F(DecideTest, AntiAffinityWorksBothWays) {
  place("x", "a1");
  EXPECT_EQ(decide_for(kAway).node, "b1");
  place("y", "b1", kAway);
  place("z", "a2", kAway);
  EXPECT_EQ(decide_for("{}").message,
            "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.");
}

TEST_F(DecideTest, AffinityStartsAnywhereWithItsOwnKindOnly) {
  EXPECT_NE(decide_for(kNear).node, "");
  EXPECT_EQ(decide_for(kNear, R"({"app":"db"})").message,
            "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.");
  place("x", "b1");
  EXPECT_EQ(decide_for(kNear, R"({"app":"db"})").node, "b1");
}

TEST_F(DecideTest, SpreadKeepsTheSkew) {
  place("x", "a1");
  EXPECT_EQ(decide_for(kSpread).node, "b1");
  place("y", "b1");
  EXPECT_NE(decide_for(kSpread).node, "");
}

TEST_F(DecideTest, TheEmptierNodeWinsAndEqualsShareByChance) {
  place("x", "a1", R"({"containers":[{"resources":{"requests":{"cpu":"1"}}}]})");
  place("y", "a2", R"({"containers":[{"resources":{"requests":{"cpu":"1"}}}]})");
  EXPECT_EQ(decide_for(R"({"containers":[{}]})").node, "b1");
  cluster_.remove_pod("x");
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) seen.insert(decide_for(R"({"containers":[{}]})").node);
  EXPECT_EQ(seen, (std::set<std::string>{"a1", "b1"}));
}

TEST_F(DecideTest, PreferencesPull) {
  const char* spec =
      R"({"containers":[{}],"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[
    {"weight":10,"preference":{"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]}}]}}})";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(decide_for(spec).node, "b1");
}

}  // namespace
}  // namespace atl::scheduler

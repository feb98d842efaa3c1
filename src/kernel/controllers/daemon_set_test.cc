#include "kernel/controllers/daemon_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_node.h"
#include "kernel/controllers/node_fit.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

DaemonPod good(std::string name, bool updated = true) {
  DaemonPod out;
  out.pod.name = out.pod.uid = std::move(name);
  out.pod.node = "n";
  out.pod.phase = "Running";
  out.pod.ready = true;
  out.updated = updated;
  return out;
}
DaemonPod old(std::string name) {
  return good(std::move(name), false);
}
DaemonPod but(DaemonPod pod, std::function<void(PodView&)> change) {
  change(pod.pod);
  return pod;
}
DaemonNode node(std::vector<DaemonPod> pods = {}) {
  return {true, true, std::move(pods)};
}
DaemonNode closed(std::vector<DaemonPod> pods = {}, bool may_continue = true) {
  return {false, may_continue, std::move(pods)};
}

TEST(DaemonSetPlan, Rows) {
  using testing::ElementsAre;
  struct Case {
    const char* sentence;
    DaemonSetView set;
    std::map<std::string, DaemonNode> nodes;
    std::vector<std::string> create, remove;
  };
  const auto unready = [](PodView& pod) { pod.ready = false; };
  const auto deleting = [](PodView& pod) { pod.deleting = true; };
  DaemonSetView surge;
  surge.max_unavailable = 0;
  surge.max_surge = 1;
  DaemonSetView by_hand;
  by_hand.on_delete = true;
  DaemonSetView leaving;
  leaving.deleting = true;
  const Case cases[] = {
      {"a pod for each node", {}, {{"a", node()}, {"b", node({good("p")})}}, {"a"}, {}},
      {"none where none belongs", {}, {{"a", closed()}}, {}, {}},
      {"one that is there may stay", {}, {{"a", closed({good("p")})}}, {}, {}},
      {"unless it may not", {}, {{"a", closed({good("p")}, false)}}, {}, {"p"}},
      {"one that leaves is waited for", {}, {{"a", node({but(good("p"), deleting)})}}, {}, {}},
      {"one that ended is replaced",
       {},
       {{"a", node({but(good("p"), [](PodView& pod) { pod.phase = "Failed"; })})}},
       {},
       {"p"}},
      {"of two the older stays",
       {},
       {{"a", node({but(good("p"), [](PodView& pod) { pod.created = WallTime(9s); }), good("q")})}},
       {},
       {"p"}},
      {"a new template goes node by node",
       {},
       {{"a", node({old("p")})}, {"b", node({old("q")})}},
       {},
       {"p"}},
      {"and waits for the new pod",
       {},
       {{"a", node({but(good("p"), unready)})}, {"b", node({old("q")})}},
       {},
       {}},
      {"old pods that do not work go at once",
       {},
       {{"a", node({but(good("p"), unready)})}, {"b", node({but(old("q"), unready)})}},
       {},
       {"q"}},
      {"not where it is left to others", by_hand, {{"a", node({old("p")})}}, {}, {}},
      {"with a surge the new pod comes first",
       surge,
       {{"a", node({old("p")})}, {"b", node({old("q")})}},
       {"a"},
       {}},
      {"the old one leaves when it works",
       surge,
       {{"a", node({old("p"), good("new")})}, {"b", node({old("q")})}},
       {"b"},
       {"p"}},
      {"not before",
       surge,
       {{"a", node({old("p"), but(good("new"), unready)})}, {"b", node({old("q")})}},
       {},
       {}},
      {"a set that is being deleted does nothing", leaving, {{"a", node()}}, {}, {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    const DaemonSetPlan todo = plan(c.set, c.nodes, WallTime(1000s));
    EXPECT_EQ(todo.create, c.create);
    std::vector<std::string> removed;
    for (const PodView& pod : todo.remove) removed.push_back(pod.name);
    EXPECT_EQ(removed, c.remove);
  }
}

TEST(NodeFit, Rows) {
  struct Case {
    const char* sentence;
    const char* pod;
    bool wanted;
  };
  const json::Value node = manifest(
      R"({"metadata":{"name":"n1","labels":{"disk":"ssd","cpus":"8"}},"spec":{"taints":[{"key":"k","value":"v","effect":"NoSchedule"}]}})");
  const auto affinity = [](std::string_view terms) {
    return R"({"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[)" +
           std::string(terms) + "]}}}}}";
  };
  const std::string rows[] = {
      affinity(R"({"matchExpressions":[{"key":"cpus","operator":"Gt","values":["4"]}]})"),
      affinity(R"({"matchExpressions":[{"key":"cpus","operator":"Lt","values":["4"]}]})"),
      affinity(
          R"({"matchExpressions":[{"key":"disk","operator":"NotIn","values":["ssd"]}]},{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]})"),
      affinity("{}")};
  const Case cases[] = {
      {"nothing asked", "{}", true},
      {"another node by name", R"({"spec":{"nodeName":"n2"}})", false},
      {"a label", R"({"spec":{"nodeSelector":{"disk":"ssd"}}})", true},
      {"a label with another value", R"({"spec":{"nodeSelector":{"disk":"hdd"}}})", false},
      {"a number", rows[0].c_str(), true},
      {"a smaller number", rows[1].c_str(), false},
      {"one of several terms", rows[2].c_str(), true},
      {"an empty term selects nothing", rows[3].c_str(), false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    EXPECT_EQ(node_wanted(manifest(c.pod), node), c.wanted);
  }
  EXPECT_FALSE(taints_tolerated(manifest("{}"), node, "NoSchedule"));
  EXPECT_TRUE(taints_tolerated(manifest("{}"), node, "NoExecute"));
  EXPECT_TRUE(taints_tolerated(
      manifest(R"({"spec":{"tolerations":[{"key":"k","operator":"Equal","value":"v"}]}})"), node,
      "NoSchedule"));
  json::Value pinned = manifest(rows[0]);
  pin_to_node(pinned, "n1");
  EXPECT_EQ(target_node(pinned), "n1");
  EXPECT_TRUE(node_wanted(pinned, node));
}

TEST(DaemonSets, FollowNodesAndTemplates) {
  FakeCluster cluster;
  cluster.add<DaemonSetController>();
  cluster.adopt(std::make_unique<FakeNode>(cluster.world.client, cluster.informers,
                                           cluster.world.seams(),
                                           FakeNode::Options{.takes_unbound = true}));
  cluster.world.client.set_event_delay([] { return 300ms; });
  cluster.world.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    if (call.resource == kPods && call.writes() && cluster.world.rng.below(4) == 0)
      return api::Fault{api::Fault::When::kAfter, Error(Code::kTimeout, "lost")};
    return std::nullopt;
  });
  const auto put_node = [&](const char* name, const char* role) {
    json::Value node = manifest(R"({"apiVersion":"v1","kind":"Node","metadata":{}})");
    json::set(node, {"metadata", "name"}, json::Value(name));
    json::set(node, {"metadata", "labels", "role"}, json::Value(role));
    ASSERT_TRUE(cluster.world.client.put(kNodes, std::move(node)));
  };
  const auto put_set = [&](const char* image) {
    json::Value set = manifest(
        R"({"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"log","namespace":"d"},"spec":{
            "selector":{"matchLabels":{"app":"log"}},
            "template":{"metadata":{"labels":{"app":"log"}},"spec":{"nodeSelector":{"role":"worker"},"containers":[{"name":"c"}]}}}})");
    set.at("spec").at("template").at("spec").at("containers").at(0).as_object()["image"] = image;
    ASSERT_TRUE(cluster.world.client.put(kDaemonSets, std::move(set)));
  };
  const auto status = [&](std::string_view field) {
    return json::int_at(cluster.get(kDaemonSets, {"d", "log"}), {"status", field});
  };
  EXPECT_EQ(cluster.run([&]() -> Task<> {
    put_node("a", "worker");
    put_node("b", "worker");
    put_node("c", "other");
    put_set("one");
    bool ok = co_await cluster.eventually([&] { return status("numberAvailable") == 2; });
    EXPECT_TRUE(ok) << json::serialize(cluster.get(kDaemonSets, {"d", "log"}));
    EXPECT_EQ(cluster.all(kPods).size(), 2u);
    put_node("c", "worker");
    ok = co_await cluster.eventually([&] { return status("numberAvailable") == 3; });
    EXPECT_TRUE(ok);
    put_set("two");
    ok = co_await cluster.eventually([&] {
      int64_t moved = 0;
      for (const api::ObjectPtr& pod : cluster.world.client.peek_all(kPods))
        moved += pod->text().find("\"two\"") != std::string::npos;
      return moved == 3 && status("updatedNumberScheduled") == 3 && status("numberAvailable") == 3;
    });
    EXPECT_TRUE(ok);
    EXPECT_EQ(cluster.all(kControllerRevisions).size(), 2u);
    put_node("a", "other");
    ok = co_await cluster.eventually(
        [&] { return status("desiredNumberScheduled") == 2 && cluster.all(kPods).size() == 2; });
    EXPECT_TRUE(ok);
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::controllers

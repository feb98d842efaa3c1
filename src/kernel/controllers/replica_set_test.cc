#include "kernel/controllers/replica_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_node.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

const WallTime kNow(1000s);

PodView pod(std::string name, bool ready = true) {
  PodView view;
  view.name = view.uid = std::move(name);
  view.node = "n1";
  view.phase = "Running";
  view.ready = ready;
  view.ready_since = view.created = WallTime(100s);
  return view;
}
PodView changed(PodView view, std::function<void(PodView&)> change) {
  change(view);
  return view;
}

TEST(ReplicaSetPlan, Rows) {
  struct Case {
    const char* sentence;
    ReplicaSetView set;
    std::vector<PodView> pods;
    int64_t pending;
    int64_t create;
    std::vector<std::string> remove;
  };
  const Case cases[] = {
      {"missing pods are created", {3}, {pod("a")}, 0, 2, {}},
      {"pods on their way count", {3}, {pod("a")}, 2, 0, {}},
      {"deleting pods do not count",
       {1},
       {changed(pod("a"), [](auto& p) { p.deleting = true; })},
       0,
       1,
       {}},
      {"ended pods do not count",
       {1},
       {changed(pod("a"), [](auto& p) { p.phase = "Failed"; })},
       0,
       1,
       {}},
      {"enough is enough", {2}, {pod("a"), pod("b", false)}, 0, 0, {}},
      {"unready pods leave first", {1}, {pod("a"), pod("b", false)}, 0, 0, {"b"}},
      {"unplaced pods leave before unready ones",
       {1},
       {pod("a", false), changed(pod("b", false), [](auto& p) { p.node.clear(); })},
       0,
       0,
       {"b"}},
      {"pending pods leave before running ones",
       {1},
       {pod("a", false), changed(pod("b", false), [](auto& p) { p.phase = "Pending"; })},
       0,
       0,
       {"b"}},
      {"a low deletion cost leaves first",
       {1},
       {pod("a"), changed(pod("b"), [](auto& p) { p.deletion_cost = -1; })},
       0,
       0,
       {"b"}},
      {"the crowded node is thinned out",
       {2},
       {changed(pod("a"), [](auto& p) { p.node = "n2"; }), pod("b"), pod("c")},
       0,
       0,
       {"b"}},
      {"what became ready last leaves first",
       {1},
       {pod("a"), changed(pod("b"), [](auto& p) { p.ready_since = WallTime(990s); })},
       0,
       0,
       {"b"}},
      {"what restarts often leaves first",
       {1},
       {pod("a"), changed(pod("b"), [](auto& p) { p.restarts = 3; })},
       0,
       0,
       {"b"}},
      {"the young leave first",
       {1},
       {pod("a"), changed(pod("b"), [](auto& p) { p.created = WallTime(999s); })},
       0,
       0,
       {"b"}},
      {"a surplus that is not visible yet waits", {0}, {pod("a")}, 2, 0, {"a"}},
      {"a set that is being deleted does nothing", {3, 0s, true}, {pod("a")}, 0, 0, {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    const ReplicaSetPlan todo = plan(c.set, c.pods, c.pending, kNow);
    EXPECT_EQ(todo.create, c.create);
    std::vector<std::string> removed;
    for (const PodView& view : todo.remove) removed.push_back(view.name);
    EXPECT_EQ(removed, c.remove);
  }
}

TEST(ReplicaSetPlan, AvailabilityComesWithAge) {
  const auto young = changed(pod("a"), [](auto& p) { p.ready_since = WallTime(995s); });
  const ReplicaSetPlan todo = plan({2, 10s, false}, {young, pod("b")}, 0, kNow);
  EXPECT_EQ(todo.ready, 2);
  EXPECT_EQ(todo.available, 1);
  EXPECT_EQ(todo.again, 5s);
}

json::Value set_of(int replicas) {
  json::Value set = manifest(
      R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"web","namespace":"d"},
    "spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
      "spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  json::set(set, {"spec", "replicas"}, json::Value(replicas));
  return set;
}

class ReplicaSetTest : public testing::Test {
 protected:
  ReplicaSetTest() {
    cluster_.add<ReplicaSetController>();
    cluster_.adopt(std::make_unique<FakeNode>(cluster_.world.client, cluster_.informers,
                                              cluster_.world.seams(),
                                              FakeNode::Options{.takes_unbound = true}));
  }
  size_t pods() const { return cluster_.world.client.peek_all(kPods).size(); }
  int64_t status(std::string_view field) const {
    return json::int_at(cluster_.get(kReplicaSets, {"d", "web"}), {"status", field});
  }
  void put(json::Value document) {
    ASSERT_TRUE(cluster_.world.client.put(kReplicaSets, std::move(document)));
  }
  FakeCluster cluster_;
};

TEST_F(ReplicaSetTest, ScalesUpAndDownAndTellsIt) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(set_of(3));
    const bool up = co_await cluster_.eventually([&] { return status("availableReplicas") == 3; });
    EXPECT_TRUE(up);
    const json::Value first = cluster_.all(kPods)[0];
    EXPECT_EQ(json::string_at(first, {"metadata", "generateName"}), "web-");
    EXPECT_EQ(json::string_at(first, {"metadata", "name"}).size(), 9u);
    put(set_of(1));
    const bool down =
        co_await cluster_.eventually([&] { return pods() == 1 && status("replicas") == 1; });
    EXPECT_TRUE(down);
    EXPECT_EQ(status("observedGeneration"), 2);
    co_await cluster_.settle();
    co_return Unit{};
  }),
            "");
  EXPECT_THAT(cluster_.events(),
              testing::Contains(testing::StartsWith("SuccessfulCreate: Created pod: web-")));
  EXPECT_THAT(cluster_.events(),
              testing::Contains(testing::StartsWith("SuccessfulDelete: Deleted pod: web-")));
}

TEST_F(ReplicaSetTest, LateEventsAndLostRepliesMakeNoSurplus) {
  int lost = 0;
  size_t most = 0;
  cluster_.world.client.set_event_delay([] { return 700ms; });
  cluster_.world.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    most = std::max(most, pods());
    if (call.verb != "create" || call.resource != kPods || ++lost % 2 == 0) return std::nullopt;
    return api::Fault{lost % 3 == 0 ? api::Fault::When::kBefore : api::Fault::When::kAfter,
                      Error(Code::kTimeout, "lost")};
  });
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(set_of(10));
    const bool up = co_await cluster_.eventually([&] { return status("availableReplicas") == 10; });
    EXPECT_TRUE(up);
    co_return Unit{};
  }),
            "");
  EXPECT_GT(lost, 5);
  EXPECT_EQ(most, 10u);
}

TEST_F(ReplicaSetTest, AdoptsOrphansAndReleasesWhatNoLongerMatches) {
  ASSERT_TRUE(cluster_.world.client.put(
      kPods,
      manifest(
          R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"orphan","namespace":"d","labels":{"app":"web"}},"spec":{}})")));
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(set_of(2));
    const bool up = co_await cluster_.eventually([&] { return status("availableReplicas") == 2; });
    EXPECT_TRUE(up);
    EXPECT_EQ(pods(), 2u);
    json::Value orphan = cluster_.get(kPods, {"d", "orphan"});
    EXPECT_EQ(json::array_at(orphan, {"metadata", "ownerReferences"}).size(), 1u);
    json::set(orphan, {"metadata", "labels", "app"}, json::Value("debug"));
    EXPECT_TRUE(cluster_.world.client.put(kPods, orphan));
    const bool replaced = co_await cluster_.eventually(
        [&] { return pods() == 3 && status("availableReplicas") == 2; });
    EXPECT_TRUE(replaced);
    EXPECT_EQ(json::array_at(cluster_.get(kPods, {"d", "orphan"}), {"metadata", "ownerReferences"})
                  .size(),
              0u);
    co_return Unit{};
  }),
            "");
}

TEST_F(ReplicaSetTest, ARefusedCreateIsAConditionUntilItWorks) {
  bool refuse = true;
  cluster_.world.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    if (!refuse || call.verb != "create" || call.resource != kPods) return std::nullopt;
    return api::Fault{api::Fault::When::kBefore, Error(Code::kForbidden, "exceeded quota")};
  });
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(set_of(2));
    const auto conditions = [&] {
      return json::array_at(cluster_.get(kReplicaSets, {"d", "web"}), {"status", "conditions"});
    };
    const bool told = co_await cluster_.eventually(
        [&] { return api::condition_is(conditions(), "ReplicaFailure", "True"); });
    EXPECT_TRUE(told);
    EXPECT_EQ(json::string_at(conditions()[0], {"reason"}), "FailedCreate");
    refuse = false;
    const bool gone = co_await cluster_.eventually(
        [&] { return conditions().empty() && status("readyReplicas") == 2; });
    EXPECT_TRUE(gone);
    co_return Unit{};
  }),
            "");
  EXPECT_THAT(cluster_.events(), testing::Contains("FailedCreate: Error creating: exceeded quota"));
}

}  // namespace
}  // namespace atl::controllers

#include "kernel/controllers/stateful_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_node.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

OrdinalPod good(int64_t ordinal, std::string revision = "new") {
  OrdinalPod out;
  out.pod.name = "web-" + std::to_string(ordinal);
  out.pod.phase = "Running";
  out.pod.ready = true;
  out.revision = std::move(revision);
  return out;
}
OrdinalPod changed(OrdinalPod pod, std::function<void(PodView&)> change) {
  change(pod.pod);
  return pod;
}
OrdinalPod unready(int64_t ordinal, std::string revision = "new") {
  return changed(good(ordinal, std::move(revision)), [](PodView& p) { p.ready = false; });
}
StatefulSetView set(
    int64_t want, std::function<void(StatefulSetView&)> change = [](StatefulSetView&) {}) {
  StatefulSetView view;
  view.want = want;
  view.update_revision = "new";
  change(view);
  return view;
}

TEST(StatefulSetPlan, Rows) {
  struct Case {
    const char* sentence;
    StatefulSetView set;
    std::map<int64_t, OrdinalPod> pods;
    std::vector<int64_t> create;
    std::vector<std::string> remove;
  };
  const auto parallel = [](StatefulSetView& v) { v.ordered = false; };
  const Case cases[] = {
      {"the first comes alone", set(3), {}, {0}, {}},
      {"the next waits for it", set(3), {{0, unready(0)}}, {}, {}},
      {"then it comes", set(3), {{0, good(0)}}, {1}, {}},
      {"in parallel all come at once", set(3, parallel), {{1, unready(1)}}, {0, 2}, {}},
      {"one that is on its way is not made twice", set(1), {{0, OrdinalPod{{}, {}, true}}}, {}, {}},
      {"ordinals may start later", set(2, [](auto& v) { v.start = 5; }), {{5, good(5)}}, {6}, {}},
      {"one that ended is replaced",
       set(1),
       {{0, changed(good(0), [](PodView& p) { p.phase = "Failed"; })}},
       {},
       {"web-0"}},
      {"the last leaves first, alone",
       set(1),
       {{0, good(0)}, {1, good(1)}, {2, good(2)}},
       {},
       {"web-2"}},
      {"the next waits until it has gone",
       set(1),
       {{0, good(0)}, {1, good(1)}, {2, changed(good(2), [](PodView& p) { p.deleting = true; })}},
       {},
       {}},
      {"in parallel they leave together",
       set(1, parallel),
       {{0, good(0)}, {1, good(1)}, {2, good(2)}},
       {},
       {"web-2", "web-1"}},
      {"an update begins at the end",
       set(3),
       {{0, good(0, "old")}, {1, good(1, "old")}, {2, good(2, "old")}},
       {},
       {"web-2"}},
      {"it waits for the new one", set(2), {{0, good(0, "old")}, {1, unready(1)}}, {}, {}},
      {"then goes on", set(2), {{0, good(0, "old")}, {1, good(1)}}, {}, {"web-0"}},
      {"not below the partition",
       set(2, [](auto& v) { v.partition = 1; }),
       {{0, good(0, "old")}, {1, good(1)}},
       {},
       {}},
      {"not where it is left to others",
       set(1, [](auto& v) { v.on_delete = true; }),
       {{0, good(0, "old")}},
       {},
       {}},
      {"a set that is being deleted does nothing",
       set(1, [](auto& v) { v.deleting = true; }),
       {},
       {},
       {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    const StatefulSetPlan todo = plan(c.set, c.pods, WallTime(1000s));
    EXPECT_EQ(todo.create, c.create);
    std::vector<std::string> removed;
    for (const PodView& pod : todo.remove) removed.push_back(pod.name);
    EXPECT_EQ(removed, c.remove);
  }
}

class StatefulSetTest : public testing::Test {
 protected:
  StatefulSetTest() {
    cluster_.add<StatefulSetController>();
    cluster_.adopt(std::make_unique<FakeNode>(cluster_.world.client, cluster_.informers,
                                              cluster_.world.seams(),
                                              FakeNode::Options{.takes_unbound = true}));
  }
  void put(int replicas, std::string_view image) {
    json::Value document = manifest(
        R"({"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"d"},
      "spec":{"serviceName":"db","selector":{"matchLabels":{"app":"db"}},"template":{"metadata":{"labels":{"app":"db"}},
        "spec":{"containers":[{"name":"c"}],"volumes":[{"name":"data","emptyDir":{}},{"name":"tmp","emptyDir":{}}]}},
        "volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"resources":{"requests":{"storage":"1Gi"}}}}]}})");
    json::set(document, {"spec", "replicas"}, json::Value(replicas));
    document.at("spec").at("template").at("spec").at("containers").at(0).as_object()["image"] =
        image;
    ASSERT_TRUE(cluster_.world.client.put(kStatefulSets, std::move(document)));
  }
  json::Value status() const {
    const json::Value set = cluster_.get(kStatefulSets, {"d", "db"});
    const json::Value* found = json::find(set, {"status"});
    return found ? *found : json::Value(json::Object());
  }
  bool done(int64_t replicas) const {
    const json::Value now = status();
    return json::int_at(now, {"readyReplicas"}) == replicas &&
           json::int_at(now, {"updatedReplicas"}) == replicas &&
           json::int_at(now, {"replicas"}) == replicas &&
           json::string_at(now, {"currentRevision"}) == json::string_at(now, {"updateRevision"});
  }
  FakeCluster cluster_;
};

TEST_F(StatefulSetTest, NamesVolumesAndUpdatesInOrder) {
  int64_t least_ready = 3;
  bool watching = false;
  cluster_.world.client.set_event_delay([] { return 300ms; });
  cluster_.world.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    if (watching) {
      int64_t live = 0;
      for (const api::ObjectPtr& pod : cluster_.world.client.peek_all(kPods))
        live += !pod->header().deleting;
      least_ready = std::min(least_ready, live);
    }
    if (call.resource == kPods && call.writes() && cluster_.world.rng.below(4) == 0)
      return api::Fault{api::Fault::When::kAfter, Error(Code::kTimeout, "lost")};
    return std::nullopt;
  });
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(3, "one");
    bool ok = co_await cluster_.eventually([&] { return done(3); });
    EXPECT_TRUE(ok) << json::serialize(status());
    const json::Value pod = cluster_.get(kPods, {"d", "db-1"});
    EXPECT_EQ(json::string_at(pod, {"spec", "hostname"}), "db-1");
    EXPECT_EQ(json::string_at(pod, {"spec", "subdomain"}), "db");
    EXPECT_EQ(json::string_at(pod, {"metadata", "labels", "apps.kubernetes.io/pod-index"}), "1");
    EXPECT_EQ(json::array_at(pod, {"spec", "volumes"}).size(), 2u);
    EXPECT_EQ(cluster_.all(kPersistentVolumeClaims).size(), 3u);
    EXPECT_EQ(json::string_at(cluster_.get(kPersistentVolumeClaims, {"d", "data-db-2"}),
                              {"metadata", "labels", "app"}),
              "db");

    watching = true;
    put(3, "two");
    ok = co_await cluster_.eventually([&] {
      return done(3) && cluster_.world.client.peek(kPods, {"d", "db-0"})->text().find("\"two\"") !=
                            std::string::npos;
    });
    EXPECT_TRUE(ok);
    EXPECT_EQ(least_ready, 2) << "one at a time";
    EXPECT_EQ(cluster_.all(kControllerRevisions).size(), 2u);
    watching = false;

    put(1, "two");
    ok = co_await cluster_.eventually([&] { return done(1); });
    EXPECT_TRUE(ok);
    EXPECT_EQ(cluster_.all(kPersistentVolumeClaims).size(), 3u) << "data outlives its pod";
    put(1, "one");
    ok = co_await cluster_.eventually(
        [&] { return done(1) && cluster_.all(kControllerRevisions).size() == 2; });
    EXPECT_TRUE(ok) << "a template that comes back is its old revision again";
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::controllers

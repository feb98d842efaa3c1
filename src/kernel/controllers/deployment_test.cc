#include "kernel/controllers/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_node.h"
#include "kernel/controllers/pod_template.h"
#include "kernel/controllers/replica_set.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

// A set of `size` pods, `available` of them; older ones have smaller numbers.
SetView set(std::string name, int64_t size, int64_t available, int age = 1) {
  SetView view;
  view.name = std::move(name);
  view.created = WallTime(std::chrono::seconds(age));
  view.size = view.replicas = size;
  view.ready = view.available = available;
  return view;
}
SetView with_desired(SetView view, int64_t desired, int64_t most) {
  view.desired = desired;
  view.max_replicas = most;
  return view;
}
DeploymentView rolling(int64_t want, int64_t surge, int64_t less) {
  DeploymentView view;
  view.name = "web";
  view.want = want;
  view.max_surge = surge;
  view.max_unavailable = less;
  return view;
}
DeploymentView recreate(int64_t want) {
  DeploymentView view = rolling(want, 0, 0);
  view.strategy = Strategy::kRecreate;
  return view;
}
DeploymentView paused(DeploymentView view) {
  view.paused = true;
  return view;
}
DeploymentView done(DeploymentView view, int64_t history) {
  view.history_limit = history;
  view.status = json::Object{
      {"replicas", view.want}, {"updatedReplicas", view.want}, {"availableReplicas", view.want}};
  return view;
}

TEST(DeploymentPlan, Rows) {
  struct Case {
    const char* sentence;
    DeploymentView deployment;
    Sets sets;
    DeploymentPlan want;
  };
  const Case cases[] = {
      {"the first set gets everything",
       rolling(3, 1, 0),
       {},
       {.create = 3, .resize = {}, .remove = {}}},
      {"a new template starts with the surge",
       rolling(10, 3, 2),
       {{}, {set("old", 10, 10)}},
       {.create = 3, .resize = {}, .remove = {}}},
      {"without room the new set starts empty",
       rolling(10, 0, 2),
       {{}, {set("old", 10, 10)}},
       {.create = 0, .resize = {}, .remove = {}}},
      {"old pods go as far as availability allows",
       rolling(10, 3, 2),
       {set("new", 3, 0, 2), {set("old", 10, 10)}},
       {.create = {}, .resize = {{"old", 10, 8}}, .remove = {}}},
      {"the new set grows into the room",
       rolling(10, 3, 2),
       {set("new", 3, 0, 2), {set("old", 8, 8)}},
       {.create = {}, .resize = {{"new", 3, 5}}, .remove = {}}},
      {"unavailable new pods stop the rollout",
       rolling(10, 3, 2),
       {set("new", 5, 0, 2), {set("old", 8, 8)}},
       {}},
      {"unhealthy old pods go first",
       rolling(10, 3, 2),
       {set("new", 3, 3, 3), {set("older", 5, 2, 1), set("old", 5, 5, 2)}},
       {.create = {}, .resize = {{"older", 5, 0}}, .remove = {}}},
      {"a set that still reports lost pods is not shrunk twice",
       rolling(5, 1, 0),
       {set("new", 1, 1, 2), {[] {
          SetView s = set("old", 4, 5);
          return s;
        }()}},
       {.create = {}, .resize = {{"new", 1, 2}}, .remove = {}}},
      {"too large a new set shrinks at once",
       rolling(2, 1, 0),
       {set("new", 5, 5), {}},
       {.create = {}, .resize = {{"new", 5, 2}}, .remove = {}}},
      {"recreate first empties the old sets",
       recreate(3),
       {{}, {set("old", 3, 3)}},
       {.create = {}, .resize = {{"old", 3, 0}}, .remove = {}}},
      {"recreate waits for the last old pod", recreate(3), {{}, {set("old", 0, 0)}, true}, {}},
      {"then it makes the new set",
       recreate(3),
       {{}, {set("old", 0, 0)}, false},
       {.create = 3, .resize = {}, .remove = {}}},
      {"scaling alone touches the only active set",
       rolling(5, 1, 0),
       {with_desired(set("new", 3, 3), 3, 4), {}},
       {.create = {}, .resize = {{"new", 3, 5}}, .remove = {}}},
      {"scaling in a rollout keeps the proportions",
       rolling(20, 5, 0),
       {with_desired(set("new", 5, 5, 2), 10, 15), {with_desired(set("old", 10, 10), 10, 15)}},
       {.create = {}, .resize = {{"old", 10, 17}, {"new", 5, 8}}, .remove = {}}},
      {"scaling to zero empties all",
       rolling(0, 0, 0),
       {with_desired(set("new", 5, 5, 2), 10, 15), {with_desired(set("old", 10, 10), 10, 15)}},
       {.create = {}, .resize = {{"old", 10, 0}, {"new", 5, 0}}, .remove = {}}},
      {"a paused one does not roll",
       paused(rolling(3, 1, 0)),
       {{}, {set("old", 3, 3)}},
       {.create = {}, .resize = {{"old", 3, 3}}, .remove = {}}},
      {"history past its limit goes, oldest first",
       done(rolling(1, 1, 0), 1),
       {set("new", 1, 1, 9), {set("a", 0, 0, 1), set("b", 0, 0, 2), set("c", 0, 0, 3)}},
       {.create = {}, .resize = {}, .remove = {"a", "b"}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    const DeploymentPlan todo = plan(c.deployment, c.sets);
    EXPECT_EQ(todo.create, c.want.create);
    EXPECT_EQ(todo.remove, c.want.remove);
    ASSERT_EQ(todo.resize.size(), c.want.resize.size());
    for (size_t i = 0; i < todo.resize.size(); ++i) {
      EXPECT_EQ(todo.resize[i].set, c.want.resize[i].set);
      EXPECT_EQ(todo.resize[i].to, c.want.resize[i].to);
    }
  }
}

TEST(DeploymentPlan, BoundsRoundAwayFromRisk) {
  struct Case {
    const char* spec;
    int64_t want, surge, less;
  };
  const Case cases[] = {
      {R"({})", 10, 3, 2},
      {R"({"rollingUpdate":{"maxSurge":"10%","maxUnavailable":0}})", 3, 1, 0},
      {R"({"rollingUpdate":{"maxSurge":0,"maxUnavailable":"10%"}})", 3, 0, 1},
      {R"({"rollingUpdate":{"maxSurge":2,"maxUnavailable":9}})", 3, 2, 3},
      {R"({"type":"Recreate"})", 3, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.spec);
    DeploymentView view = rolling(c.want, 0, 0);
    json::Value document;
    json::set(document, {"spec", "strategy"}, manifest(c.spec));
    resolve_bounds(document, view);
    EXPECT_EQ(view.max_surge, c.surge);
    EXPECT_EQ(view.max_unavailable, c.less);
  }
}

TEST(PodTemplate, TheHashFollowsTheTemplateAndNothingElse) {
  const json::Value a = manifest(R"({"metadata":{"labels":{"a":"1"}},"spec":{"x":1,"y":null}})");
  const json::Value same =
      manifest(R"({"spec":{"x":1},"metadata":{"labels":{"pod-template-hash":"zzz","a":"1"}}})");
  const json::Value other = manifest(R"({"metadata":{"labels":{"a":"1"}},"spec":{"x":2}})");
  EXPECT_TRUE(same_template(a, same));
  EXPECT_FALSE(same_template(a, other));
  EXPECT_EQ(template_hash(a, 0), template_hash(same, 0));
  EXPECT_NE(template_hash(a, 0), template_hash(other, 0));
  EXPECT_NE(template_hash(a, 0), template_hash(a, 1));
  EXPECT_EQ(template_hash(a, 0), "877cf7d6f")
      << "a released hash never changes: every rollout would start anew";
}

class DeploymentTest : public testing::Test {
 protected:
  DeploymentTest() {
    cluster_.add<ReplicaSetController>();
    cluster_.add<DeploymentController>();
    FakeNode::Options options;
    options.takes_unbound = true;
    options.becomes_ready = [](const api::Object& pod) {
      return pod.text().find("broken") == std::string::npos;
    };
    cluster_.adopt(std::make_unique<FakeNode>(cluster_.world.client, cluster_.informers,
                                              cluster_.world.seams(), std::move(options)));
    cluster_.world.client.set_faults([this](const api::FakeCall&) -> std::optional<api::Fault> {
      most_ = std::max(most_, live());
      return std::nullopt;
    });
  }
  json::Value deployment(int replicas, std::string_view image) const {
    json::Value out = manifest(
        R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"d",
      "annotations":{"note":"x","kubectl.kubernetes.io/last-applied-configuration":"{}"}},
      "spec":{"selector":{"matchLabels":{"app":"web"}},"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}},
        "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c"}]}}}})");
    json::set(out, {"spec", "replicas"}, json::Value(replicas));
    out.at("spec").at("template").at("spec").at("containers").at(0).as_object()["image"] = image;
    return out;
  }
  void put(json::Value document) {
    ASSERT_TRUE(cluster_.world.client.put(kDeployments, std::move(document)));
  }
  void patch(std::function<void(json::Value&)> change) {
    json::Value now = current();
    change(now);
    json::erase(now, {"status"});
    put(std::move(now));
  }
  json::Value current() const { return cluster_.get(kDeployments, {"d", "web"}); }
  std::string reason(std::string_view type) const {
    const json::Value now = current();
    const json::Value* entry =
        api::find_condition(json::array_at(now, {"status", "conditions"}), type);
    return entry ? std::string(json::string_at(*entry, {"reason"})) : "";
  }
  std::string revision() const {
    return std::string(json::string_at(
        current(), {"metadata", "annotations", "deployment.kubernetes.io/revision"}));
  }
  // Pods that have not been told to go.
  int64_t live() const {
    int64_t count = 0;
    for (const api::ObjectPtr& pod : cluster_.world.client.peek_all(kPods))
      count += !pod->header().deleting;
    return count;
  }
  bool rolled_out(int64_t replicas) const {
    const json::Value now = current();
    const json::Value status = now.at("status");
    return json::int_at(status, {"observedGeneration"}) ==
               json::int_at(now, {"metadata", "generation"}) &&
           json::int_at(status, {"updatedReplicas"}) == replicas &&
           json::int_at(status, {"replicas"}) == replicas &&
           json::int_at(status, {"availableReplicas"}) == replicas &&
           reason("Progressing") == "NewReplicaSetAvailable";
  }
  bool has_status() const { return current().as_object().contains("status"); }

  FakeCluster cluster_;
  int64_t most_ = 0;
};

TEST_F(DeploymentTest, RollsOutRollsOnAndKeepsWithinTheSurge) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(deployment(4, "one"));
    const bool first = co_await cluster_.eventually([&] { return has_status() && rolled_out(4); });
    EXPECT_TRUE(first);
    EXPECT_EQ(revision(), "1");
    EXPECT_EQ(reason("Available"), "MinimumReplicasAvailable");
    patch([](json::Value& d) {
      d.at("spec").at("template").at("spec").at("containers").at(0).as_object()["image"] = "two";
    });
    co_await cluster_.settle(1s);
    const bool second = co_await cluster_.eventually([&] { return rolled_out(4); });
    EXPECT_TRUE(second);
    EXPECT_EQ(revision(), "2");
    EXPECT_LE(most_, 5);
    EXPECT_EQ(cluster_.all(kReplicaSets).size(), 2u);
    co_await cluster_.settle();
    co_return Unit{};
  }),
            "");
  for (const json::Value& set : cluster_.all(kReplicaSets)) {
    EXPECT_EQ(json::string_at(set, {"metadata", "annotations", "note"}), "x");
    EXPECT_EQ(json::find(set, {"metadata", "annotations",
                               "kubectl.kubernetes.io/last-applied-configuration"}),
              nullptr);
    const std::string_view hash =
        json::string_at(set, {"spec", "selector", "matchLabels", "pod-template-hash"});
    EXPECT_EQ(json::string_at(set, {"metadata", "name"}), "web-" + std::string(hash));
  }
  EXPECT_THAT(cluster_.events(),
              testing::Contains(testing::HasSubstr("Scaled up replica set web-")));
}

TEST_F(DeploymentTest, GoingBackUsesTheOldSetAgain) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(deployment(2, "one"));
    bool ok = co_await cluster_.eventually([&] { return has_status() && rolled_out(2); });
    EXPECT_TRUE(ok);
    put(deployment(2, "two"));
    ok = co_await cluster_.eventually([&] { return revision() == "2" && rolled_out(2); });
    EXPECT_TRUE(ok);
    put(deployment(2, "one"));
    ok = co_await cluster_.eventually([&] { return revision() == "3" && rolled_out(2); });
    EXPECT_TRUE(ok);
    EXPECT_EQ(cluster_.all(kReplicaSets).size(), 2u);
    co_return Unit{};
  }),
            "");
}

TEST_F(DeploymentTest, ABrokenTemplateTimesOutAndHarmsNothing) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(deployment(3, "one"));
    bool ok = co_await cluster_.eventually([&] { return has_status() && rolled_out(3); });
    EXPECT_TRUE(ok);
    put(deployment(3, "broken"));
    ok = co_await cluster_.eventually(
        [&] { return reason("Progressing") == "ProgressDeadlineExceeded"; }, 15min);
    EXPECT_TRUE(ok);
    EXPECT_EQ(reason("Available"), "MinimumReplicasAvailable");
    EXPECT_EQ(json::int_at(current(), {"status", "availableReplicas"}), 3);
    // Helm gives a roll-back up as soon as a status of the new generation tells a failure.
    bool told_failure = false;
    cluster_.world.client.set_faults([&](const api::FakeCall&) -> std::optional<api::Fault> {
      const json::Value now = current();
      told_failure = told_failure || (json::int_at(now, {"status", "observedGeneration"}) ==
                                          json::int_at(now, {"metadata", "generation"}) &&
                                      reason("Progressing") == "ProgressDeadlineExceeded");
      return std::nullopt;
    });
    put(deployment(3, "one"));
    ok = co_await cluster_.eventually([&] { return rolled_out(3) && live() == 3; });
    EXPECT_TRUE(ok);
    EXPECT_FALSE(told_failure);
    co_return Unit{};
  }),
            "");
}

TEST_F(DeploymentTest, PausedItScalesButDoesNotRoll) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(deployment(2, "one"));
    bool ok = co_await cluster_.eventually([&] { return has_status() && rolled_out(2); });
    EXPECT_TRUE(ok);
    json::Value next = deployment(4, "two");
    json::set(next, {"spec", "paused"}, json::Value(true));
    put(next);
    co_await cluster_.settle();
    EXPECT_EQ(live(), 4);
    EXPECT_EQ(cluster_.all(kReplicaSets).size(), 1u);
    EXPECT_EQ(reason("Progressing"), "DeploymentPaused");
    put(deployment(4, "two"));
    ok = co_await cluster_.eventually([&] { return revision() == "2" && rolled_out(4); });
    EXPECT_TRUE(ok);
    co_return Unit{};
  }),
            "");
}

TEST_F(DeploymentTest, RecreateNeverMixesTemplates) {
  bool mixed = false;
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    json::Value first = deployment(3, "one");
    json::set(first, {"spec", "strategy"}, manifest(R"({"type":"Recreate"})"));
    put(first);
    bool ok = co_await cluster_.eventually([&] { return has_status() && rolled_out(3); });
    EXPECT_TRUE(ok);
    json::Value second = deployment(3, "two");
    json::set(second, {"spec", "strategy"}, manifest(R"({"type":"Recreate"})"));
    put(second);
    ok = co_await cluster_.eventually([&] {
      bool one = false, two = false;
      for (const api::ObjectPtr& pod : cluster_.world.client.peek_all(kPods)) {
        one |= pod->text().find("\"one\"") != std::string::npos;
        two |= pod->text().find("\"two\"") != std::string::npos;
      }
      mixed |= one && two;
      return revision() == "2" && rolled_out(3);
    });
    EXPECT_TRUE(ok);
    co_return Unit{};
  }),
            "");
  EXPECT_FALSE(mixed);
}

TEST_F(DeploymentTest, AStrangersSetOfTheSameNameIsACollision) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    const json::Value wanted = deployment(1, "one");
    const std::string hash = template_hash(wanted.at("spec").at("template"), 0);
    json::Value stranger =
        manifest(R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"namespace":"d"},
      "spec":{"replicas":0,"selector":{"matchLabels":{"app":"other"}},"template":{"metadata":{"labels":{"app":"other"}}}}})");
    json::set(stranger, {"metadata", "name"}, json::Value("web-" + hash));
    EXPECT_TRUE(cluster_.world.client.put(kReplicaSets, stranger));
    put(wanted);
    const bool ok = co_await cluster_.eventually([&] { return has_status() && rolled_out(1); });
    EXPECT_TRUE(ok);
    EXPECT_EQ(json::int_at(current(), {"status", "collisionCount"}), 1);
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::controllers

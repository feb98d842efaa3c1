#include "kernel/controllers/disruption.h"

#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"

namespace atl::controllers {
namespace {

const WallTime kNow{std::chrono::seconds(1'800'000'000)};

json::Value budget(const std::string& spec, const std::string& status = "{}") {
  return manifest(R"({"metadata":{"name":"b","namespace":"d","generation":3},"spec":)" + spec +
                  R"(,"status":)" + status + "}");
}

std::vector<PodView> pods(int ready, int unready = 0) {
  std::vector<PodView> out;
  for (int i = 0; i < ready + unready; ++i) {
    PodView& pod = out.emplace_back();
    pod.name = "p" + std::to_string(i);
    pod.phase = "Running";
    pod.ready = i < ready;
  }
  return out;
}

TEST(BudgetPlan, Rows) {
  struct Case {
    const char* sentence;
    const char* spec;
    std::vector<PodView> pods;
    Result<int64_t> scale;
    int64_t allowed, healthy, desired, expected;
  };
  const Case cases[] = {
      {"what is above the minimum may go", R"({"minAvailable":2})", pods(3), 3, 1, 3, 2, 3},
      {"a pod that is not ready is not healthy", R"({"minAvailable":2})", pods(2, 1), 3, 0, 2, 2,
       3},
      {"a minimum nobody can keep", R"({"minAvailable":5})", pods(3), 3, 0, 3, 5, 3},
      {"no pods, no disruptions", R"({"minAvailable":0})", {}, 0, 0, 0, 0, 0},
      {"a part of what the owners want, rounded up", R"({"minAvailable":"50%"})", pods(3), 3, 1, 3,
       2, 3},
      {"some may be unavailable", R"({"maxUnavailable":1})", pods(3), 3, 1, 3, 2, 3},
      {"those that are missing count", R"({"maxUnavailable":1})", pods(2), 3, 0, 2, 2, 3},
      {"a part may be unavailable, rounded up", R"({"maxUnavailable":"30%"})", pods(3), 3, 1, 3, 2,
       3},
      {"all may be unavailable", R"({"maxUnavailable":"100%"})", pods(3), 3, 3, 3, 0, 3},
      {"more than there is", R"({"maxUnavailable":"9999999999999%"})", pods(3), 3, 3, 3, 0, 3},
      {"nobody says how many there should be", R"({"maxUnavailable":1})", pods(3),
       Error(Code::kInvalid, "no scale"), 0, 3, 0, 0},
      {"a minimum in pods needs no scale", R"({"minAvailable":1})", pods(3),
       Error(Code::kInvalid, "no scale"), 2, 3, 1, 3},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    const json::Value document = budget(c.spec);
    const BudgetPlan todo = plan({document, c.pods, c.scale}, kNow);
    const json::Value status = todo.status;
    EXPECT_EQ(json::int_at(status, {"disruptionsAllowed"}), c.allowed);
    EXPECT_EQ(json::int_at(status, {"currentHealthy"}), c.healthy);
    EXPECT_EQ(json::int_at(status, {"desiredHealthy"}), c.desired);
    EXPECT_EQ(json::int_at(status, {"expectedPods"}), c.expected);
    EXPECT_EQ(json::int_at(status, {"observedGeneration"}), 3);
    const auto& condition = json::array_at(status, {"conditions"}).at(0);
    EXPECT_EQ(json::string_at(condition, {"type"}), "DisruptionAllowed");
    EXPECT_EQ(json::string_at(condition, {"status"}), c.allowed > 0 ? "True" : "False");
  }
}

TEST(BudgetPlan, AnEvictionCountsUntilItsPodIsGoneOrTwoMinutesHavePassed) {
  const auto status_with = [](const std::string& at) {
    return R"({"disruptedPods":{"p0":")" + at + R"(","gone":")" + at + R"("}})";
  };
  const json::Value fresh =
      budget(R"({"minAvailable":1})", status_with(rfc3339(kNow - std::chrono::seconds(30))));
  BudgetPlan todo = plan({fresh, pods(3), 3}, kNow);
  EXPECT_EQ(json::int_at(json::Value(todo.status), {"disruptionsAllowed"}), 1);
  EXPECT_EQ(todo.status["disruptedPods"].as_object().size(), 1u) << "the other pod is gone";
  EXPECT_EQ(todo.again, std::chrono::seconds(90));
  const json::Value old =
      budget(R"({"minAvailable":1})", status_with(rfc3339(kNow - std::chrono::minutes(3))));
  todo = plan({old, pods(3), 3}, kNow);
  EXPECT_EQ(json::int_at(json::Value(todo.status), {"disruptionsAllowed"}), 2)
      << "it stayed after all";
  EXPECT_FALSE(todo.status.contains("disruptedPods"));
  EXPECT_EQ(todo.again, Duration(0));
}

json::Value pod(const std::string& name, const std::string& owner) {
  return manifest(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
      R"(","namespace":"d","labels":{"app":"a"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","controller":true,)" +
      owner +
      R"(}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})");
}

TEST(Disruption, StatusFollowsPodsAndWhatTheirOwnersWant) {
  FakeCluster cluster;
  cluster.add<DisruptionController>();
  api::FakeClient& client = cluster.world.client;
  const auto put = [&](const api::Gvr& gvr, json::Value document) {
    ASSERT_TRUE(client.put(gvr, std::move(document)));
  };
  put(kReplicaSets,
      manifest(
          R"({"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"r","namespace":"d","uid":"u1"},"spec":{"replicas":2}})"));
  const std::string uid(client.peek(kReplicaSets, {"d", "r"})->uid());
  const std::string owner = R"("name":"r","uid":")" + uid + "\"";
  put(kPods, pod("p1", owner));
  put(kPods, pod("p2", owner));
  put(kPodDisruptionBudgets,
      manifest(
          R"({"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"b","namespace":"d","generation":1},"spec":{"maxUnavailable":1,"selector":{"matchLabels":{"app":"a"}}}})"));
  const auto allowed = [&] {
    return json::int_at(cluster.get(kPodDisruptionBudgets, {"d", "b"}),
                        {"status", "disruptionsAllowed"}, -1);
  };
  const std::string error = cluster.run([&]() -> Task<> {
    const bool one = co_await cluster.eventually([&] { return allowed() == 1; });
    EXPECT_TRUE(one);
    api::DeleteOptions now;
    now.grace_seconds = 0;
    CO_TRY_OK(co_await client.remove(kPods, {"d", "p1"}, now));
    const bool none = co_await cluster.eventually([&] { return allowed() == 0; });
    EXPECT_TRUE(none) << "one is missing already";
    json::Value smaller = cluster.get(kReplicaSets, {"d", "r"});
    json::set(smaller, {"spec", "replicas"}, 1);
    CO_TRY_OK(co_await client.update(kReplicaSets, {"d", "r"}, std::move(smaller), {}));
    const bool again = co_await cluster.eventually([&] { return allowed() == 1; });
    EXPECT_TRUE(again) << "one is all there should be";
    put(kPods, pod("stranger", R"("name":"s","uid":"other")"));
    const bool failed = co_await cluster.eventually([&] { return allowed() == 0; });
    EXPECT_TRUE(failed);
    const json::Value document = cluster.get(kPodDisruptionBudgets, {"d", "b"});
    EXPECT_EQ(json::string_at(json::array_at(document, {"status", "conditions"}).at(0), {"reason"}),
              "SyncFailed");
    co_return Unit{};
  });
  EXPECT_EQ(error, "");
}

}  // namespace
}  // namespace atl::controllers

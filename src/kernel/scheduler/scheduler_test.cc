#include "kernel/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/cache/fake_world.h"
#include "api/controller/conditions.h"

namespace atl::scheduler {
namespace {

using namespace std::chrono_literals;

const api::Gvr kPods{"", "v1", "pods"};
const api::Gvr kNodes{"", "v1", "nodes"};

class SchedulerTest : public testing::Test {
 protected:
  void run(std::function<Task<>()> body) {
    EXPECT_EQ(world_.run([&]() -> Task<> {
      informers_.start();
      scheduler_.start();
      Result<> result = co_await body();
      co_await scheduler_.stop();
      co_await events_.stop();
      co_await informers_.stop();
      co_return result;
    }),
              "");
  }
  void put_node(std::string_view name, std::string_view cpu, std::string_view spec = "{}") {
    json::Object node{
        {"apiVersion", "v1"},
        {"kind", "Node"},
        {"metadata", json::Object{{"name", name}}},
        {"spec", *json::parse(spec)},
        {"status", json::Object{{"allocatable", json::Object{{"cpu", cpu}, {"pods", "110"}}}}}};
    ASSERT_TRUE(world_.client.put(kNodes, std::move(node)));
  }
  void put_pod(std::string_view name, std::string_view cpu, std::string_view extra = "{}") {
    json::Value spec = *json::parse(extra);
    spec.as_object()["containers"] = json::Array{
        json::Object{{"resources", json::Object{{"requests", json::Object{{"cpu", cpu}}}}}}};
    json::Object pod{{"apiVersion", "v1"},
                     {"kind", "Pod"},
                     {"metadata", json::Object{{"name", name}, {"namespace", "d"}}},
                     {"spec", std::move(spec)}};
    ASSERT_TRUE(world_.client.put(kPods, std::move(pod)));
  }
  json::Value pod(std::string_view name) const {
    const api::ObjectPtr object = world_.client.peek(kPods, {"d", std::string(name)});
    return object ? object->parse() : json::Value();
  }
  std::string node_of(std::string_view name) const {
    return std::string(json::string_at(pod(name), {"spec", "nodeName"}));
  }
  Async<bool> placed(std::string name) {
    return world_.eventually([this, name] { return !node_of(name).empty(); });
  }

  api::FakeWorld world_;
  api::InformerSet informers_{world_.client, world_.seams()};
  api::EventRecorder events_{world_.client, world_.seams(), "default-scheduler"};
  Scheduler scheduler_{world_.client, informers_, world_.seams(), events_, {}};
};

TEST_F(SchedulerTest, IsReadyFromItsFirstListsUntilItsLoopEnds) {
  EXPECT_THAT(scheduler_.ready().error().message(), testing::HasSubstr("first lists"));
  run([&]() -> Task<> {
    const bool ready =
        co_await world_.eventually([this] { return scheduler_.ready().has_value(); });
    EXPECT_TRUE(ready);
    co_return Unit{};
  });
  EXPECT_THAT(scheduler_.ready().error().message(), testing::HasSubstr("its loop has ended"));
}

TEST_F(SchedulerTest, BindsAndTellsIt) {
  put_node("n1", "2");
  put_pod("a", "1");
  run([&]() -> Task<> {
    const bool ok = co_await placed("a");
    EXPECT_TRUE(ok);
    co_await events_.flush();
    const json::Value event = world_.client.peek_all({"", "v1", "events"}).at(0)->parse();
    EXPECT_EQ(json::string_at(event, {"message"}), "Successfully assigned d/a to n1");
    co_return Unit{};
  });
}

TEST_F(SchedulerTest, APodThatDoesNotFitSaysWhyAndGoesWhenThereIsRoom) {
  put_node("n1", "2");
  put_pod("a", "1500m");
  run([&]() -> Task<> {
    const bool ok = co_await placed("a");
    EXPECT_TRUE(ok);
    put_pod("b", "1");
    co_await world_.timer.sleep_for(5s);
    const json::Value waiting = pod("b");
    const json::Value* condition =
        api::find_condition(json::array_at(waiting, {"status", "conditions"}), "PodScheduled");
    EXPECT_TRUE(condition);
    if (!condition) co_return Unit{};
    EXPECT_EQ(json::string_at(*condition, {"status"}), "False");
    EXPECT_EQ(json::string_at(*condition, {"reason"}), "Unschedulable");
    EXPECT_EQ(json::string_at(*condition, {"message"}),
              "0/1 nodes are available: 1 Insufficient cpu.");
    const uint64_t attempts = scheduler_.stats().unschedulable;
    co_await world_.timer.sleep_for(1h);
    EXPECT_EQ(scheduler_.stats().unschedulable, attempts) << "a waiting pod must cost nothing";
    EXPECT_TRUE(world_.client.drop(kPods, {"d", "a"}));
    const bool now = co_await placed("b");
    EXPECT_TRUE(now);
    co_return Unit{};
  });
}

TEST_F(SchedulerTest, NeverPlacesMoreThanFitsHoweverLateTheEvents) {
  world_.client.set_event_delay([] { return 500ms; });
  put_node("n1", "4");
  for (int i = 0; i < 10; ++i) put_pod("p" + std::to_string(i), "1");
  run([&]() -> Task<> {
    co_await world_.timer.sleep_for(1min);
    int placed_pods = 0;
    for (int i = 0; i < 10; ++i) placed_pods += !node_of("p" + std::to_string(i)).empty();
    EXPECT_EQ(placed_pods, 4);
    EXPECT_EQ(scheduler_.queue().unschedulable(), 6u);
    put_node("n2", "100");
    co_await world_.timer.sleep_for(1min);
    EXPECT_EQ(scheduler_.queue().unschedulable(), 0u);
    co_return Unit{};
  });
}

TEST_F(SchedulerTest, HigherPriorityGoesFirst) {
  put_pod("low", "1");
  put_pod("high", "1", R"({"priority":1000})");
  run([&]() -> Task<> {
    co_await world_.timer.sleep_for(1s);
    put_node("n1", "1");
    co_await world_.timer.sleep_for(1min);
    EXPECT_EQ(node_of("high"), "n1");
    EXPECT_EQ(node_of("low"), "");
    co_return Unit{};
  });
}

TEST_F(SchedulerTest, GatesAndOtherSchedulersAreRespected) {
  put_node("n1", "4");
  put_pod("gated", "1", R"({"schedulingGates":[{"name":"wait"}]})");
  put_pod("other", "1", R"({"schedulerName":"mine"})");
  run([&]() -> Task<> {
    co_await world_.timer.sleep_for(1min);
    EXPECT_EQ(node_of("gated"), "");
    EXPECT_EQ(node_of("other"), "");
    put_pod("gated", "1");
    const bool ok = co_await placed("gated");
    EXPECT_TRUE(ok);
    co_return Unit{};
  });
}

TEST_F(SchedulerTest, AFailedBindingIsTriedAgainAndALostReplyIsNoHarm) {
  int calls = 0;
  world_.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    if (call.verb != "post" || ++calls > 4) return std::nullopt;
    return api::Fault{calls % 2 ? api::Fault::When::kBefore : api::Fault::When::kAfter,
                      Error(Code::kTimeout, "lost")};
  });
  put_node("n1", "2");
  put_pod("a", "1");
  put_pod("b", "1");
  run([&]() -> Task<> {
    bool ok = co_await placed("a");
    EXPECT_TRUE(ok);
    ok = co_await placed("b");
    EXPECT_TRUE(ok);
    co_await world_.timer.sleep_for(1min);
    EXPECT_EQ(scheduler_.queue().active() + scheduler_.queue().backing_off() +
                  scheduler_.queue().unschedulable(),
              0u);
    co_return Unit{};
  });
  EXPECT_GT(scheduler_.stats().errors, 0u);
}

}  // namespace
}  // namespace atl::scheduler

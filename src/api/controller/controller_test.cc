#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/cache/fake_world.h"
#include "api/controller/conditions.h"
#include "api/controller/controller_loop.h"
#include "api/controller/event_recorder.h"
#include "api/controller/parallel.h"

namespace atl::api {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const Gvr kMaps{"", "v1", "configmaps"};

TEST(WorkQueue, AKeyStandsOnceAndComesBackWhenAddedWhileTaken) {
  FakeWorld world;
  WorkQueue queue(world.seams());
  EXPECT_EQ(world.run([&]() -> Task<> {
    queue.add({"", "a"});
    queue.add({"", "a"});
    queue.add({"", "b"});
    EXPECT_EQ(queue.depth(), 2u);
    const auto first = co_await queue.next();
    EXPECT_EQ(first->name, "a");
    queue.add({"", "a"});
    EXPECT_EQ(queue.depth(), 1u);  // not while a worker has it
    const auto second = co_await queue.next();
    EXPECT_EQ(second->name, "b");
    queue.done(*first);
    const auto third = co_await queue.next();
    EXPECT_EQ(third->name, "a");
    queue.close();
    const auto none = co_await queue.next();
    EXPECT_FALSE(none);
    co_return Unit{};
  }),
            "");
}

TEST(WorkQueue, DelaysAreKeptToTheMoment) {
  FakeWorld world;
  WorkQueue queue(world.seams());
  EXPECT_EQ(world.run([&]() -> Task<> {
    const MonoTime begun = world.timer.monotonic();
    queue.add_after({"", "late"}, 10s);
    queue.add_after({"", "soon"}, 5s);
    queue.add_after({"", "late"}, 20s);  // the earlier moment stands
    const auto first = co_await queue.next();
    EXPECT_EQ(first->name, "soon");
    EXPECT_EQ(world.timer.monotonic() - begun, 5s);
    queue.done(*first);
    const auto second = co_await queue.next();
    EXPECT_EQ(second->name, "late");
    EXPECT_EQ(world.timer.monotonic() - begun, 10s);
    co_return Unit{};
  }),
            "");
}

TEST(WorkQueue, EachFailureInARowWaitsLonger) {
  FakeWorld world;
  WorkQueue queue(world.seams(), {.first = 1s, .most = 4s, .jitter = 0});
  EXPECT_EQ(world.run([&]() -> Task<> {
    for (const Duration want : {1s, 2s, 4s, 4s}) {
      const MonoTime begun = world.timer.monotonic();
      queue.retry({"", "a"});
      const auto key = co_await queue.next();
      queue.done(*key);
      EXPECT_EQ(world.timer.monotonic() - begun, want);
    }
    queue.forget({"", "a"});
    EXPECT_EQ(queue.failures({"", "a"}), 0);
    co_return Unit{};
  }),
            "");
}

// Fails as often as it is told, then asks to be called again once.
class Scripted final : public Reconciler {
 public:
  explicit Scripted(Informer& maps) : maps_(maps) {}
  std::string_view name() const override { return "scripted"; }
  std::vector<Informer*> inputs() override { return {&maps_}; }
  void watch(WorkQueue& queue) override {
    maps_.add_handler(
        [&queue](const ObjectKey& key, const ObjectPtr&, const ObjectPtr&) { queue.add(key); });
  }
  Task<Outcome> reconcile(ObjectKey key) override {
    ++calls;
    if (throws-- > 0) throw std::runtime_error("boom");
    if (failures-- > 0) co_return Error(Code::kUnavailable, "not yet");
    seen.push_back(key.name);
    if (seen.size() == 1) co_return Outcome::again_after(1min);
    co_return Outcome::done();
  }
  int failures = 0, throws = 0, calls = 0;
  std::vector<std::string> seen;

 private:
  Informer& maps_;
};

TEST(ControllerLoop, RetriesErrorsAndExceptionsAndComesBackWhenAsked) {
  FakeWorld world;
  Informer maps(world.client, world.seams(), kMaps, {});
  Scripted scripted(maps);
  scripted.failures = 2;
  scripted.throws = 1;
  ControllerLoop loop(scripted, world.seams(), {});
  EXPECT_THAT(loop.health(), testing::HasSubstr("not started"));
  EXPECT_FALSE(loop.ready());
  EXPECT_EQ(world.run([&]() -> Task<> {
    loop.start();
    co_await world.timer.sleep_for(1s);
    EXPECT_EQ(scripted.calls, 0);  // nothing before the first list
    EXPECT_THAT(loop.health(), testing::HasSubstr("configmaps"));
    EXPECT_EQ(loop.ready().error().message(), loop.health());
    maps.start();
    EXPECT_TRUE(world.client.put(
        kMaps, json::Object{{"metadata", json::Object{{"namespace", "a"}, {"name", "x"}}}}));
    co_await world.timer.sleep_for(10s);
    EXPECT_THAT(scripted.seen, ElementsAre("x"));
    co_await world.timer.sleep_for(2min);
    EXPECT_THAT(scripted.seen, ElementsAre("x", "x"));
    EXPECT_TRUE(loop.ready());
    loop.queue().close();  // as workers end when something goes wrong
    co_await world.timer.sleep_for(1s);
    EXPECT_THAT(loop.ready().error().message(), testing::HasSubstr("0 of 2 workers run"));
    co_await loop.stop();
    co_await maps.stop();
    co_return Unit{};
  }),
            "");
  EXPECT_EQ(loop.stats().errors, 3u);
  EXPECT_EQ(loop.stats().reconciles, 5u);
}

TEST(Parallel, SlowStartStopsAfterTheFirstBadBatch) {
  FakeWorld world;
  EXPECT_EQ(world.run([&]() -> Task<> {
    size_t calls = 0;
    const BatchResult good = co_await run_in_slow_start(10, [&](size_t) -> Task<> {
      ++calls;
      co_await world.timer.sleep_for(1s);
      co_return Unit{};
    });
    EXPECT_EQ(good.succeeded, 10u);
    EXPECT_EQ(world.timer.monotonic() - MonoTime(1h), 4s);  // 1 + 2 + 4 + 3 at once
    calls = 0;
    const BatchResult bad = co_await run_in_slow_start(1000, [&](size_t) -> Task<> {
      ++calls;
      co_return Error(Code::kForbidden, "exceeded quota");
    });
    EXPECT_EQ(calls, 1u);
    EXPECT_EQ(bad.errors.size(), 1u);
    co_return Unit{};
  }),
            "");
}

TEST(Conditions, TheTransitionTimeMovesWithTheStatusOnly) {
  json::Array list;
  const WallTime first(1s), second(100s);
  EXPECT_TRUE(set_condition(list, {"Ready", "False", "Wait", ""}, first));
  EXPECT_FALSE(set_condition(list, {"Ready", "False", "Wait", ""}, second));
  EXPECT_TRUE(set_condition(list, {"Ready", "False", "Other", ""}, second));
  EXPECT_EQ(time_at(list[0], {"lastTransitionTime"}), first);
  EXPECT_TRUE(set_condition(list, {"Ready", "True", "", ""}, second));
  EXPECT_EQ(time_at(list[0], {"lastTransitionTime"}), second);
  EXPECT_TRUE(condition_is(list, "Ready", "True"));
  EXPECT_TRUE(remove_condition(list, "Ready"));
  EXPECT_FALSE(remove_condition(list, "Ready"));
}

class EventRecorderTest : public testing::Test {
 protected:
  EventRecorderTest() {
    about_ = *world_.client.put(
        kMaps, json::Object{{"apiVersion", "v1"},
                            {"kind", "ConfigMap"},
                            {"metadata", json::Object{{"namespace", "a"}, {"name", "x"}}}});
  }
  // Runs the body, waits for the writer, returns "count message" of all events.
  std::vector<std::string> events_after(std::function<void()> body) {
    EXPECT_EQ(world_.run([&]() -> Task<> {
      body();
      co_await recorder_.flush();
      co_await recorder_.stop();
      co_return Unit{};
    }),
              "");
    std::vector<std::string> out;
    for (const ObjectPtr& object : world_.client.peek_all({"", "v1", "events"})) {
      const json::Value event = object->parse();
      out.push_back(std::to_string(json::int_at(event, {"count"})) + " " +
                    std::string(json::string_at(event, {"message"})));
    }
    return out;
  }
  FakeWorld world_;
  EventRecorder recorder_{world_.client, world_.seams(), "tester"};
  ObjectPtr about_;
};

TEST_F(EventRecorderTest, TheSameNoteRaisesTheCount) {
  const auto events = events_after([&] {
    for (int i = 0; i < 3; ++i) recorder_.note(*about_, EventLevel::kWarning, "Failed", "no");
    recorder_.note(*about_, EventLevel::kNormal, "Done", "yes");
  });
  EXPECT_THAT(events, testing::UnorderedElementsAre("3 no", "1 yes"));
}

TEST_F(EventRecorderTest, ManyAlikeBecomeOne) {
  const auto events = events_after([&] {
    for (int i = 0; i < 14; ++i)
      recorder_.note(*about_, EventLevel::kNormal, "Made", "pod " + std::to_string(i));
  });
  EXPECT_EQ(events.size(), 11u);
  EXPECT_THAT(events, testing::Contains("4 (combined from similar events): pod 13"));
}

TEST_F(EventRecorderTest, AnObjectThatTalksTooMuchIsSilenced) {
  events_after([&] {
    for (int i = 0; i < 100; ++i)
      recorder_.note(*about_, EventLevel::kNormal, "Made", "pod " + std::to_string(i));
  });
  EXPECT_EQ(recorder_.written(), 25u);
  EXPECT_EQ(recorder_.dropped(), 75u);
}

}  // namespace
}  // namespace atl::api

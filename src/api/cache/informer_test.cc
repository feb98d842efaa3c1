#include "api/cache/informer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/cache/fake_world.h"
#include "api/cache/informer_set.h"

namespace atl::api {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const Gvr kMaps{"", "v1", "configmaps"};

json::Value map_named(std::string_view ns, std::string_view name, std::string_view value = "1") {
  return json::Object{
      {"apiVersion", "v1"},
      {"kind", "ConfigMap"},
      {"metadata",
       json::Object{{"namespace", ns}, {"name", name}, {"labels", json::Object{{"v", value}}}}},
      {"data", json::Object{{"v", value}}}};
}

// Notes what handlers were told: "+a/x", "~a/x", "-a/x".
class InformerTest : public testing::Test {
 protected:
  void run(std::function<Task<>()> body) {
    const std::string failure = world_.run([&]() -> Task<> {
      informer_.add_handler(
          [this](const ObjectKey& key, const ObjectPtr& before, const ObjectPtr& now) {
            told_.push_back((!before ? "+" : now ? "~" : "-") + key.text());
          });
      informer_.start();
      Result<> result = co_await body();
      co_await informer_.stop();
      co_return result;
    });
    EXPECT_EQ(failure, "");
  }
  void put(std::string_view ns, std::string_view name, std::string_view value = "1") {
    EXPECT_TRUE(world_.client.put(kMaps, map_named(ns, name, value)));
  }

  FakeWorld world_;
  Informer informer_{world_.client, world_.seams(), kMaps, {}};
  std::vector<std::string> told_;
};

TEST_F(InformerTest, ListsThenFollows) {
  put("a", "x");
  run([&]() -> Task<> {
    const bool synced = co_await informer_.synced();
    EXPECT_TRUE(synced);
    EXPECT_EQ(informer_.revision(), world_.client.revision());
    put("a", "y");
    put("a", "x", "2");
    EXPECT_TRUE(world_.client.drop(kMaps, {"a", "x"}));
    co_await world_.timer.sleep_for(1s);
    co_return Unit{};
  });
  EXPECT_THAT(told_, ElementsAre("+a/x", "+a/y", "~a/x", "-a/x"));
  EXPECT_EQ(informer_.size(), 1u);
  EXPECT_EQ(informer_.relists(), 1u);
}

TEST_F(InformerTest, ABrokenWatchIsResumedWithoutAnotherList) {
  run([&]() -> Task<> {
    co_await informer_.synced();
    co_await world_.timer.sleep_for(1s);
    world_.client.break_watches();
    put("a", "x");
    const bool seen =
        co_await world_.eventually([&] { return informer_.get({"a", "x"}) != nullptr; });
    EXPECT_TRUE(seen);
    co_return Unit{};
  });
  EXPECT_EQ(informer_.relists(), 1u);
}

TEST_F(InformerTest, LostHistoryIsListedAgainAndTheDifferenceTold) {
  put("a", "gone");
  put("a", "stays");
  run([&]() -> Task<> {
    co_await informer_.synced();
    co_await world_.timer.sleep_for(1s);
    world_.client.break_watches();
    EXPECT_TRUE(world_.client.drop(kMaps, {"a", "gone"}));
    put("a", "new");
    world_.client.compact();
    const bool seen =
        co_await world_.eventually([&] { return informer_.get({"a", "new"}) != nullptr; });
    EXPECT_TRUE(seen);
    co_return Unit{};
  });
  EXPECT_THAT(told_, ElementsAre("+a/gone", "+a/stays", "-a/gone", "+a/new"));
  EXPECT_EQ(informer_.relists(), 2u);
}

TEST_F(InformerTest, AnotherObjectOfTheSameNameIsGoneThenNew) {
  put("a", "x");
  run([&]() -> Task<> {
    co_await informer_.synced();
    co_await world_.timer.sleep_for(1s);
    world_.client.break_watches();
    EXPECT_TRUE(world_.client.drop(kMaps, {"a", "x"}));
    put("a", "x");
    world_.client.compact();
    co_await world_.timer.sleep_for(10s);
    co_return Unit{};
  });
  EXPECT_THAT(told_, ElementsAre("+a/x", "-a/x", "+a/x"));
}

TEST_F(InformerTest, ErrorsAreRetriedWithGrowingWaits) {
  int refused = 0;
  world_.client.set_faults([&](const FakeCall& call) -> std::optional<Fault> {
    if (call.verb != "list" || refused == 5) return std::nullopt;
    ++refused;
    return Fault{};
  });
  const MonoTime begun = world_.timer.monotonic();
  run([&]() -> Task<> {
    const bool synced = co_await informer_.synced();
    EXPECT_TRUE(synced);
    co_return Unit{};
  });
  EXPECT_EQ(refused, 5);
  EXPECT_GE(world_.timer.monotonic() - begun, 50ms * (1 + 2 + 4 + 8 + 16));
}

TEST_F(InformerTest, BookmarksMoveTheRevisionOfAQuietCollection) {
  run([&]() -> Task<> {
    co_await informer_.synced();
    co_await world_.timer.sleep_for(1s);
    EXPECT_TRUE(world_.client.put({"", "v1", "secrets"}, map_named("a", "other")));
    world_.client.send_bookmarks();
    co_await world_.timer.sleep_for(1s);
    EXPECT_EQ(informer_.revision(), world_.client.revision());
    co_return Unit{};
  });
}

TEST_F(InformerTest, IndexesFollowTheObjects) {
  const Informer::Index by_value =
      informer_.add_index("value", [](const Object& object, std::vector<std::string>& values) {
        values.emplace_back(label(object.header().labels, "v"));
      });
  put("a", "x", "1");
  put("b", "y", "1");
  run([&]() -> Task<> {
    co_await informer_.synced();
    EXPECT_EQ(informer_.by_index(by_value, "1").size(), 2u);
    EXPECT_EQ(informer_.list("b").size(), 1u);
    EXPECT_EQ(informer_.list().size(), 2u);
    put("a", "x", "2");
    co_await world_.timer.sleep_for(1s);
    EXPECT_EQ(informer_.by_index(by_value, "1").size(), 1u);
    EXPECT_EQ(informer_.by_index(by_value, "2").size(), 1u);
    EXPECT_EQ(informer_.by_index(by_value, "3").size(), 0u);
    co_return Unit{};
  });
}

TEST(InformerSet, SharesAndStartsLateComers) {
  FakeWorld world;
  InformerSet set(world.client, world.seams());
  EXPECT_EQ(&set.get(kMaps), &set.get(kMaps));
  EXPECT_NE(&set.get(kMaps),
            &set.get(kMaps, {.ns = "a", .label_selector = "", .field_selector = ""}));
  EXPECT_EQ(world.run([&]() -> Task<> {
    set.start();
    Informer& late = set.get({"", "v1", "secrets"});
    const bool synced = co_await set.synced();
    EXPECT_TRUE(synced);
    EXPECT_TRUE(late.has_synced());
    co_await set.remove(kMaps);
    EXPECT_EQ(set.size(), 1u);
    co_await set.stop();
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::api

#include "kernel/apiserver/registry/watch_cache.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/registry/stored_object.h"
#include "kernel/apiserver/registry/watcher.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

const std::string kPrefix = "/core/configmaps/";

std::string value_of(const std::string& name, const std::string& data) {
  return *encode_stored(json::Object{
      {"apiVersion", "v1"},
      {"kind", "ConfigMap"},
      {"metadata", json::Object{{"name", name}, {"namespace", "d"}, {"uid", "u-" + name}}},
      {"data", json::Object{{"k", data}}}});
}

store::Write put(const std::string& name, const std::string& data) {
  return {.key = kPrefix + "d/" + name, .value = value_of(name, data)};
}

// A store with its cache, in virtual time.
class WatchCacheTest : public testing::Test {
 protected:
  void run(std::function<Task<>()> body) {
    const auto done = run_simulated(loop_, timer_, std::chrono::hours(1), std::move(body));
    ASSERT_TRUE(done.has_value()) << done.error().message();
  }

  asio::io_context loop_;
  SimTimer timer_;
  store::MemoryStore store_;
  api::KindSet kinds_ = *api::KindSet::builtin();
};

TEST_F(WatchCacheTest, LoadsWhatIsThereAndFollows) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await store_.write(put("a", "1")));
    CO_TRY(const auto cache, co_await WatchCache::open(store_, kinds_, timer_));
    EXPECT_EQ(cache->objects(), 1u);
    CO_TRY_OK(co_await store_.write(put("b", "1")));
    const api::ObjectPtr b = cache->get("", "configmaps", {"d", "b"});
    EXPECT_TRUE(b != nullptr) << "a write that was answered is in the cache";
    EXPECT_EQ(b->revision(), store_.revision());
    EXPECT_EQ(cache->changed("", "configmaps"), store_.revision());
    CO_TRY_OK(co_await store_.write({.key = kPrefix + "d/b", .value = std::nullopt}));
    EXPECT_EQ(cache->get("", "configmaps", {"d", "b"}), nullptr);
    co_return Unit{};
  });
}

TEST_F(WatchCacheTest, ListenersSeeBothStatesUntilTheyLetGo) {
  run([&]() -> Task<> {
    CO_TRY(const auto cache, co_await WatchCache::open(store_, kinds_, timer_));
    std::vector<std::string> seen;
    auto handle = cache->listen(
        "", "configmaps", [&](const api::ObjectPtr& now, const api::ObjectPtr& before) {
          seen.push_back((before ? before->name() : "-") + ">" + (now ? now->name() : "-"));
        });
    CO_TRY_OK(co_await store_.write(put("a", "1")));
    CO_TRY_OK(co_await store_.write(put("a", "2")));
    CO_TRY_OK(co_await store_.write({.key = kPrefix + "d/a", .value = std::nullopt}));
    handle.reset();
    CO_TRY_OK(co_await store_.write(put("b", "1")));
    EXPECT_EQ(seen, (std::vector<std::string>{"->a", "a>a", "a>-"}));
    co_return Unit{};
  });
}

// More changes than the window holds: what a watcher missed comes from the store's history.
TEST_F(WatchCacheTest, ChangesOlderThanTheWindowComeFromHistory) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await store_.write(put("first", "0")));
    CO_TRY(const auto cache, co_await WatchCache::open(store_, kinds_, timer_));
    const Revision start = store_.revision();
    const size_t count = ResourceCache::kWindowMin + 500;
    for (size_t i = 0; i < count; ++i) {
      timer_.advance(std::chrono::seconds(1));
      CO_TRY_OK(co_await store_.write(put("a", std::to_string(i))));
    }
    EXPECT_GT(cache->of("", "configmaps").first_change(), 0u) << "the window moved on";
    WatchQuery query;
    query.from = start;
    query.timeout = std::chrono::hours(1);
    CO_TRY(const auto watcher, co_await Watcher::open(*cache, timer_, "", "configmaps", "", query));
    Revision last = start;
    for (size_t i = 0; i < count; ++i) {
      CO_TRY(const auto item, co_await watcher->next());
      EXPECT_EQ(item->revision.value, last.value + 1) << "no change is missing, none comes twice";
      EXPECT_EQ(json::string_at(item->object->object->parse(), {"data", "k"}), std::to_string(i));
      last = item->revision;
    }
    co_return Unit{};
  });
}

// Nothing is kept for a slow watcher: it reads what it missed from the store, as long as that
// remembers.
TEST_F(WatchCacheTest, ASlowWatcherMissesNothing) {
  run([&]() -> Task<> {
    CO_TRY(const auto cache, co_await WatchCache::open(store_, kinds_, timer_));
    CO_TRY_OK(co_await store_.write(put("a", "start")));
    WatchQuery query;
    query.from = store_.revision();
    query.timeout = std::chrono::hours(24);
    CO_TRY(const auto slow, co_await Watcher::open(*cache, timer_, "", "configmaps", "", query));
    CO_TRY(const auto slower, co_await Watcher::open(*cache, timer_, "", "configmaps", "", query));
    const size_t count = ResourceCache::kWindowMin + 10;
    for (size_t i = 0; i < count; ++i) {
      timer_.advance(std::chrono::seconds(1));
      CO_TRY_OK(co_await store_.write(put("a", std::to_string(i))));
    }
    for (size_t i = 0; i < count; ++i) {
      CO_TRY(const auto item, co_await slow->next());
      EXPECT_EQ(json::string_at(item->object->object->parse(), {"data", "k"}), std::to_string(i));
    }
    CO_TRY_OK(co_await store_.compact(store_.revision()));
    const auto item = co_await slower->next();
    EXPECT_FALSE(item.has_value()) << "the store forgot what this one missed";
    if (!item) EXPECT_EQ(item.error().code(), Code::kGone);
    co_return Unit{};
  });
}

TEST_F(WatchCacheTest, AForgottenRevisionIsGone) {
  run([&]() -> Task<> {
    for (const char* name : {"a", "b", "c"}) CO_TRY_OK(co_await store_.write(put(name, "1")));
    CO_TRY_OK(co_await store_.compact(store_.revision()));
    CO_TRY(const auto cache, co_await WatchCache::open(store_, kinds_, timer_));
    WatchQuery query;
    query.from = Revision{1};
    const auto watcher = co_await Watcher::open(*cache, timer_, "", "configmaps", "", query);
    EXPECT_FALSE(watcher.has_value());
    EXPECT_EQ(watcher.error().code(), Code::kGone);
    EXPECT_EQ(cache->watchers(), 0u) << "a watch that did not begin leaves nothing behind";
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

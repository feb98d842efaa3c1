// One suite over every engine: what the contract in store.h promises.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/async/run.h"
#include "base/async/task_group.h"
#include "base/core/rng.h"
#include "store/memory/memory_store.h"
#include "store/rocks/rocks_store.h"

namespace atl::store {
namespace {

using Put = std::pair<std::string, std::string>;

class StoreSuite : public testing::TestWithParam<std::string> {
 protected:
  StoreSuite() {
    char pattern[] = "/tmp/atoll-store-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    open();
  }
  ~StoreSuite() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    if (GetParam() == "memory") {
      store_ = std::make_unique<MemoryStore>();
      return;
    }
    auto opened = RocksStore::open(loop_.get_executor(), {.folder = folder_ + "/db"});
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }

  // Runs a coroutine that fails the test on an Error.
  void check(std::function<Task<>()> body) {
    const auto result = run(loop_, std::move(body));
    ASSERT_TRUE(result) << result.error().message();
  }
  Task<Event> put(std::string key, std::string value, std::optional<Revision> expected = {}) {
    co_return co_await store_->write({std::move(key), std::move(value), expected});
  }
  Task<Event> erase(std::string key, std::optional<Revision> expected = {}) {
    co_return co_await store_->write({std::move(key), std::nullopt, expected});
  }
  static std::vector<Put> pairs(const Range& range) {
    std::vector<Put> out;
    for (const Stored& item : range.items) out.emplace_back(item.key, *item.value);
    return out;
  }

  asio::io_context loop_;
  std::string folder_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreSuite, WritesReadBackWithTheirRevisions) {
  check([&]() -> Task<> {
    CO_TRY(const Event first, co_await put("/a", "1"));
    CO_TRY(const Event second, co_await put("/a", "2"));
    EXPECT_EQ(second.now.created, first.now.modified);
    EXPECT_EQ(second.now.modified, first.now.modified.next());
    EXPECT_EQ(*second.previous->value, "1");
    CO_TRY(const auto now, co_await store_->get("/a"));
    EXPECT_EQ(*now->value, "2");
    CO_TRY(const auto past, co_await store_->get("/a", first.now.modified));
    EXPECT_EQ(*past->value, "1");
    CO_TRY(const auto none, co_await store_->get("/b"));
    EXPECT_FALSE(none);
    EXPECT_EQ(store_->revision(), second.now.modified);
    co_return Unit{};
  });
}

TEST_P(StoreSuite, ConditionsDecide) {
  check([&]() -> Task<> {
    CO_TRY(const Event made, co_await put("/a", "1", Revision{}));
    const auto again = co_await put("/a", "x", Revision{});
    EXPECT_EQ(again.error().code(), Code::kExists);
    const auto stale = co_await put("/a", "x", Revision{made.now.modified.value + 7});
    EXPECT_EQ(stale.error().code(), Code::kConflict);
    const auto missing = co_await put("/b", "x", Revision{3});
    EXPECT_EQ(missing.error().code(), Code::kNotFound);
    CO_TRY_OK(co_await erase("/a", made.now.modified));
    const auto gone = co_await erase("/a");
    EXPECT_EQ(gone.error().code(), Code::kNotFound);
    CO_TRY(const Event reborn, co_await put("/a", "2", Revision{}));
    EXPECT_EQ(reborn.now.created, reborn.now.modified);
    EXPECT_FALSE(reborn.previous);
    co_return Unit{};
  });
}

TEST_P(StoreSuite, BadKeysAndValuesAreRefused) {
  check([&]() -> Task<> {
    const auto empty = co_await put("", "x");
    EXPECT_EQ(empty.error().code(), Code::kInvalid);
    const auto nul = co_await put(std::string("a\0b", 3), "x");
    EXPECT_EQ(nul.error().code(), Code::kInvalid);
    const auto big = co_await put("/a", std::string(kValueBytesMax + 1, 'x'));
    EXPECT_EQ(big.error().code(), Code::kTooLarge);
    CO_TRY(const auto none, co_await store_->range({}));
    EXPECT_TRUE(none.items.empty());
    co_return Unit{};
  });
}

TEST_P(StoreSuite, RangesAreOrderedLimitedAndReadThePast) {
  check([&]() -> Task<> {
    for (const char* key : {"/p/c", "/p/a", "/q/x", "/p/b", "/p/bb"})
      CO_TRY_OK(co_await put(key, key));
    const Revision then = store_->revision();
    CO_TRY_OK(co_await erase("/p/a"));
    CO_TRY_OK(co_await put("/p/b", "new"));
    CO_TRY(const Range now, co_await store_->range({"/p/", prefix_end("/p/"), 0, {}}));
    EXPECT_EQ(pairs(now),
              (std::vector<Put>{{"/p/b", "new"}, {"/p/bb", "/p/bb"}, {"/p/c", "/p/c"}}));
    CO_TRY(const Range past, co_await store_->range({"/p/", prefix_end("/p/"), 2, then}));
    EXPECT_EQ(pairs(past), (std::vector<Put>{{"/p/a", "/p/a"}, {"/p/b", "/p/b"}}));
    EXPECT_TRUE(past.more);
    EXPECT_EQ(past.revision, then);
    const auto future = co_await store_->range({"/p/", "", 0, Revision{9999}});
    EXPECT_EQ(future.error().code(), Code::kInvalid);
    co_return Unit{};
  });
}

TEST_P(StoreSuite, ACommitIsAllOrNothing) {
  check([&]() -> Task<> {
    CO_TRY_OK(co_await put("/a", "1"));
    const Revision before = store_->revision();
    std::vector<Write> bad;
    bad.push_back({"/b", "2", Revision{}});
    bad.push_back({"/a", "2", Revision{}});
    const auto refused = co_await store_->write_all(std::move(bad));
    EXPECT_EQ(refused.error().code(), Code::kExists);
    EXPECT_EQ(store_->revision(), before);
    std::vector<Write> twice;
    twice.push_back({"/b", "2", {}});
    twice.push_back({"/b", "3", {}});
    const auto doubled = co_await store_->write_all(std::move(twice));
    EXPECT_EQ(doubled.error().code(), Code::kInvalid);
    std::vector<Write> good;
    good.push_back({"/b", "2", Revision{}});
    good.push_back({"/a", std::nullopt, {}});
    CO_TRY(const auto events, co_await store_->write_all(std::move(good)));
    EXPECT_EQ(events.size(), 2u);
    EXPECT_EQ(events[1].type, Event::Type::kDelete);
    EXPECT_EQ(events[1].now.modified, events[0].now.modified.next());
    co_return Unit{};
  });
}

TEST_P(StoreSuite, ListenersSeeEveryEventInOrderBeforeTheWriterContinues) {
  check([&]() -> Task<> {
    std::vector<uint64_t> seen;
    auto handle = store_->subscribe([&](std::span<const Event> events) {
      for (const Event& event : events) seen.push_back(event.now.modified.value);
    });
    for (int i = 0; i < 20; ++i) {
      CO_TRY(const Event event, co_await put("/k" + std::to_string(i % 3), "v"));
      EXPECT_EQ(seen.size(), size_t(i + 1));
      EXPECT_EQ(seen.empty() ? 0 : seen.back(), event.now.modified.value);
    }
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    handle.reset();
    CO_TRY_OK(co_await put("/k", "v"));
    EXPECT_EQ(seen.size(), 20u);
    co_return Unit{};
  });
}

TEST_P(StoreSuite, HistoryReplaysWhatHappened) {
  check([&]() -> Task<> {
    CO_TRY_OK(co_await put("/p/a", "1"));
    const Revision from = store_->revision();
    CO_TRY_OK(co_await put("/p/a", "2"));
    CO_TRY_OK(co_await put("/q", "other"));
    CO_TRY_OK(co_await erase("/p/a"));
    CO_TRY(const auto events, co_await store_->history("/p/", from, 10));
    EXPECT_EQ(events.size(), 2u);
    if (events.size() != 2) co_return Unit{};
    EXPECT_EQ(*events[0].now.value, "2");
    EXPECT_EQ(*events[0].previous->value, "1");
    EXPECT_EQ(events[1].type, Event::Type::kDelete);
    EXPECT_EQ(*events[1].previous->value, "2");
    CO_TRY(const auto cut, co_await store_->history("", Revision{}, 2));
    EXPECT_EQ(cut.size(), 2u);
    co_return Unit{};
  });
}

TEST_P(StoreSuite, CompactionForgetsThePastAndKeepsThePresent) {
  check([&]() -> Task<> {
    CO_TRY_OK(co_await put("/a", "1"));
    const Revision old = store_->revision();
    CO_TRY_OK(co_await put("/a", "2"));
    CO_TRY_OK(co_await put("/gone", "x"));
    CO_TRY_OK(co_await erase("/gone"));
    CO_TRY_OK(co_await put("/still", "s"));
    const Revision at = store_->revision();
    CO_TRY_OK(co_await put("/a", "3"));
    CO_TRY_OK(co_await store_->compact(at));
    EXPECT_EQ(store_->compacted(), at);
    const auto past = co_await store_->get("/a", old);
    EXPECT_EQ(past.error().code(), Code::kGone);
    const auto events = co_await store_->history("", old, 10);
    EXPECT_EQ(events.error().code(), Code::kGone);
    CO_TRY(const auto then, co_await store_->get("/a", at));
    EXPECT_EQ(*then->value, "2");
    CO_TRY(const auto kept, co_await store_->history("", at, 10));
    EXPECT_EQ(kept.size(), 1u);
    EXPECT_EQ(*kept.at(0).previous->value, "2");
    CO_TRY(const Range now, co_await store_->range({}));
    EXPECT_EQ(pairs(now), (std::vector<Put>{{"/a", "3"}, {"/still", "s"}}));
    CO_TRY_OK(co_await store_->compact(old));
    EXPECT_EQ(store_->compacted(), at);
    const auto future = co_await store_->compact(Revision{12345});
    EXPECT_EQ(future.error().code(), Code::kInvalid);
    co_return Unit{};
  });
}

// A long past goes in pieces: writes and reads go on between them, and each finds the present.
TEST_P(StoreSuite, WritesGoOnWhileALongPastIsForgotten) {
  check([&]() -> Task<> {
    constexpr int kRounds = 3000, kKeys = 7;
    const auto key = [](int i) { return "/k" + std::to_string(i % kKeys); };
    for (int i = 0; i < kRounds; i += kKeys) {
      std::vector<Write> writes;
      for (int j = i; j < i + kKeys; ++j) writes.push_back({key(j), std::to_string(j), {}});
      CO_TRY_OK(co_await store_->write_all(std::move(writes)));
    }
    const Revision at = store_->revision();
    Result<> forgotten = Error(Code::kInternal, "not done");
    bool ended = false;
    TaskGroup group(loop_.get_executor());
    group.spawn("compaction", [&]() -> Async<void> {
      forgotten = co_await store_->compact(at);
      ended = true;
    });
    for (int i = 0; i < 50; ++i) {
      CO_TRY_OK(co_await put(key(i), "new " + std::to_string(i)));
      CO_TRY(const auto now, co_await store_->get(key(i), {}));
      EXPECT_EQ(*now->value, "new " + std::to_string(i));
    }
    while (!ended) co_await asio::post(loop_, asio::use_awaitable);
    co_await group.stop();
    CO_TRY_OK(forgotten);
    EXPECT_EQ(store_->compacted(), at);
    CO_TRY(const auto kept, co_await store_->history("", at, 100));
    EXPECT_EQ(kept.size(), 50u);
    CO_TRY(const Range then, co_await store_->range({.at = at}));
    EXPECT_EQ(then.items.size(), size_t(kKeys));
    for (const Stored& item : then.items)
      EXPECT_GE(std::stoi(*item.value), kRounds - kKeys) << item.key;
    co_return Unit{};
  });
}

TEST_P(StoreSuite, AClosedStoreRefuses) {
  check([&]() -> Task<> {
    CO_TRY_OK(co_await put("/a", "1"));
    CO_TRY_OK(co_await store_->close());
    const auto late = co_await put("/a", "2");
    EXPECT_EQ(late.error().code(), Code::kUnavailable);
    co_return Unit{};
  });
}

// A model checks random histories: the store must agree with a plain map at every revision it kept.
TEST_P(StoreSuite, RandomHistoriesAgreeWithAModel) {
  SeededRng rng(20261125);
  std::map<std::string, std::string> model;
  std::map<uint64_t, std::map<std::string, std::string>> past;
  check([&]() -> Task<> {
    for (int i = 0; i < 400; ++i) {
      const std::string key = "/k/" + std::to_string(rng.below(12));
      if (rng.below(4) == 0) {
        const auto erased = co_await erase(key);
        EXPECT_EQ(erased.has_value(), model.erase(key) == 1);
      } else {
        model[key] = std::to_string(i);
        CO_TRY_OK(co_await put(key, model[key]));
      }
      if (store_->revision()) past[store_->revision().value] = model;
      if (i == 200) CO_TRY_OK(co_await store_->compact(Revision{store_->revision().value - 50}));
    }
    for (const auto& [revision, state] : past) {
      const auto range = co_await store_->range({"/k/", prefix_end("/k/"), 0, Revision{revision}});
      if (Revision{revision} < store_->compacted()) {
        EXPECT_EQ(range.error().code(), Code::kGone);
        continue;
      }
      EXPECT_TRUE(range.has_value());
      if (range) EXPECT_EQ(pairs(*range), std::vector<Put>(state.begin(), state.end()));
    }
    co_return Unit{};
  });
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreSuite, testing::Values("memory", "rocks"),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace atl::store

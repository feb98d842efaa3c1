// What only an engine on disk has: reopening, backup and restore, damage that is seen, one owner.
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "store/rocks/record.h"
#include "store/rocks/rocks_store.h"

namespace atl::store {
namespace {

class Reopen : public testing::Test {
 protected:
  Reopen() {
    char pattern[] = "/tmp/atoll-reopen-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~Reopen() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> open(const std::string& name) {
    auto opened = RocksStore::open(loop_.get_executor(), {.folder = folder_ + "/" + name});
    EXPECT_TRUE(opened) << opened.error().message();
    return opened ? *std::move(opened) : nullptr;
  }
  void check(std::function<Task<>()> body) {
    const auto result = run(loop_, std::move(body));
    ASSERT_TRUE(result) << result.error().message();
  }

  asio::io_context loop_;
  std::string folder_;
};

TEST_F(Reopen, EverythingAcknowledgedIsThereAndRevisionsGoOn) {
  auto store = open("db");
  check([&]() -> Task<> {
    for (int i = 0; i < 50; ++i)
      CO_TRY_OK(co_await store->write({"/k" + std::to_string(i % 7), std::to_string(i), {}}));
    CO_TRY_OK(co_await store->compact(Revision{20}));
    co_return Unit{};
  });
  store.reset();
  store = open("db");
  EXPECT_EQ(store->revision(), Revision{50});
  EXPECT_EQ(store->compacted(), Revision{20});
  check([&]() -> Task<> {
    CO_TRY(const auto value, co_await store->get("/k0"));
    EXPECT_EQ(*value->value, "49");
    CO_TRY(const Event next, co_await store->write({"/k0", "x", {}}));
    EXPECT_EQ(next.now.modified, Revision{51});
    co_return Unit{};
  });
}

TEST_F(Reopen, ABackupIsAStore) {
  auto store = open("db");
  check([&]() -> Task<> {
    CO_TRY_OK(co_await store->write({"/a", "1", {}}));
    CO_TRY_OK(co_await store->backup(folder_ + "/copy"));
    const auto again = co_await store->backup(folder_ + "/copy");
    EXPECT_EQ(again.error().code(), Code::kExists);
    CO_TRY_OK(co_await store->write({"/a", "2", {}}));
    co_return Unit{};
  });
  auto copy = open("copy");
  check([&]() -> Task<> {
    CO_TRY(const auto value, co_await copy->get("/a"));
    EXPECT_EQ(*value->value, "1");
    co_return Unit{};
  });
}

TEST_F(Reopen, OneOwnerAtATime) {
  auto store = open("db");
  const auto second = RocksStore::open(loop_.get_executor(), {.folder = folder_ + "/db"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kUnavailable);
}

// Flips one byte of a stored value behind the engine's back: it is never served.
TEST_F(Reopen, ADamagedValueIsNeverServed) {
  auto store = open("db");
  check([&]() -> Task<> {
    CO_TRY_OK(co_await store->write({"/a", "precious", {}}));
    co_return Unit{};
  });
  store.reset();
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  ASSERT_TRUE(rocksdb::DB::Open({}, folder_ + "/db",
                                {{"default", {}}, {"versions", {}}, {"keys", {}}}, &handles, &raw)
                  .ok());
  std::string bytes;
  ASSERT_TRUE(raw->Get({}, handles[1], version_key({1}), &bytes).ok());
  bytes.back() ^= 1;
  ASSERT_TRUE(raw->Put({}, handles[1], version_key({1}), bytes).ok());
  for (auto* handle : handles) raw->DestroyColumnFamilyHandle(handle);
  delete raw;
  store = open("db");
  check([&]() -> Task<> {
    const auto value = co_await store->get("/a");
    EXPECT_FALSE(value.has_value());
    if (!value) EXPECT_EQ(value.error().code(), Code::kInternal);
    const auto range = co_await store->range({});
    EXPECT_FALSE(range.has_value());
    const auto history = co_await store->history("", {}, 10);
    EXPECT_FALSE(history.has_value());
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::store

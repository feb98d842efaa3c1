// What only an engine on disk has: reopening, backup and restore, damage that is seen, one owner.
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "store/conditions.h"
#include "store/rocks/folder_check.h"
#include "store/rocks/record.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/seal.h"

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
  // Changes the column family of versions behind the engine's back. Its log is then RocksDB's own.
  void change(const std::string& name,
              const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle*)>& body) {
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    ASSERT_TRUE(rocksdb::DB::Open({}, folder_ + "/" + name,
                                  {{"default", {}}, {"versions", {}}, {"keys", {}}}, &handles, &db)
                    .ok());
    body(*db, handles[1]);
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
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

// A version that is gone, and what is served of a hole in the past.
TEST_F(Reopen, AMissingVersionIsTold) {
  auto store = open("db");
  check([&]() -> Task<> {
    for (const char* value : {"1", "2", "3"}) CO_TRY_OK(co_await store->write({"/a", value, {}}));
    co_return Unit{};
  });
  store.reset();
  change("db", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* versions) {
    ASSERT_TRUE(db.Delete({}, versions, version_key({2})).ok());
  });
  store = open("db");
  check([&]() -> Task<> {
    const auto history = co_await store->history("", {}, 10);
    EXPECT_EQ(history.error().code(), Code::kInternal);
    const auto past = co_await store->get("/a", Revision{2});
    EXPECT_EQ(past.error().code(), Code::kInternal);
    CO_TRY(const auto now, co_await store->get("/a"));
    EXPECT_EQ(*now->value, "3");
    co_return Unit{};
  });
}

// What may be found in a folder at open, and whether the store opens.
TEST_F(Reopen, AFolderIsOpenedOnlyWhereNothingIsMissing) {
  namespace fs = std::filesystem;
  const auto manifest = [](const std::string& db) {
    std::ifstream current(db + "/CURRENT");
    std::string name;
    std::getline(current, name);
    return db + "/" + name;
  };
  const auto overwrite = [](const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  const auto append = [](const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
  };
  // Checksum, length, type and payload of a record whose checksum is wrong.
  const std::string torn("\1\1\1\1\1\0\1x", 8);
  struct Case {
    const char* what;
    std::function<void(const std::string&)> change;
    bool opens;
  };
  const Case cases[] = {
      {"nothing changed", [](const std::string&) {}, true},
      {"no seal, as in stores of before", [](const std::string& db) { fs::remove(seal_path(db)); },
       true},
      {"a torn seal", [](const std::string& db) { fs::resize_file(seal_path(db), 20); }, true},
      {"a seal that says less than is there",
       [&](const std::string& db) { overwrite(seal_path(db), encode_seal({})); }, true},
      {"the last record of the manifest is torn",
       [&](const std::string& db) { append(manifest(db), torn); }, true},
      {"the last record of the manifest is torn, and no seal says that it was",
       [&](const std::string& db) {
         append(manifest(db), torn);
         fs::remove(seal_path(db));
       },
       false},
      {"CURRENT is missing", [](const std::string& db) { fs::remove(db + "/CURRENT"); }, false},
      {"CURRENT names no file",
       [&](const std::string& db) { overwrite(db + "/CURRENT", "MANIFEST-000099\n"); }, false},
      {"CURRENT names no manifest",
       [&](const std::string& db) { overwrite(db + "/CURRENT", "LOG\n"); }, false},
      {"the seal is of a newer manifest",
       [&](const std::string& db) { overwrite(seal_path(db), encode_seal({.manifest = 99})); },
       false},
      {"the manifest is shorter than it was",
       [&](const std::string& db) { fs::resize_file(manifest(db), 60); }, false},
  };
  auto store = open("db");
  check([&]() -> Task<> {
    CO_TRY_OK(co_await store->write({"/a", "1", {}}));
    co_return Unit{};
  });
  store.reset();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const std::string copy = folder_ + "/copy";
    fs::remove_all(copy);
    fs::copy(folder_ + "/db", copy);
    c.change(copy);
    const auto opened = RocksStore::open(loop_.get_executor(), {.folder = copy});
    EXPECT_EQ(opened.has_value(), c.opens) << (opened ? "" : opened.error().message());
    if (!opened) EXPECT_EQ(opened.error().code(), Code::kInternal);
    if (opened) EXPECT_EQ((*opened)->revision(), Revision{1});
  }
}

// A log that stays behind, because the power failed between the deletions of two, has no end that
// could stand for writes which the next log goes on from.
TEST_F(Reopen, WhatAKillLeavesBehindTheRecordsIsCut) {
  namespace fs = std::filesystem;
  const auto store = open("db");
  check([&]() -> Task<> {
    CO_TRY_OK(co_await store->write({"/a", "1", {}}));
    co_return Unit{};
  });
  const std::string killed = folder_ + "/killed";
  fs::copy(folder_ + "/db", killed);
  const auto longest_log = [&] {
    uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(killed)) {
      if (entry.path().extension() == ".log") bytes = std::max(bytes, entry.file_size());
    }
    return bytes;
  };
  ASSERT_GT(longest_log(), 100'000u) << "zeros for the writes to come";
  for (int round = 0; round < 2; ++round) {
    const auto well = check_folder(killed);
    ASSERT_TRUE(well) << well.error().message();
    EXPECT_GT(longest_log(), 0u);
    EXPECT_LT(longest_log(), 1'000u);
  }
  const auto opened = RocksStore::open(loop_.get_executor(), {.folder = killed});
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ((*opened)->revision(), Revision{1});
}

// One commit that is larger than the log usually gets.
TEST_F(Reopen, ALargeCommitIsReadBack) {
  auto store = open("db");
  check([&]() -> Task<> {
    std::vector<Write> writes;
    for (int i = 0; i < 9; ++i)
      writes.push_back({"/k" + std::to_string(i), std::string(kValueBytesMax, char('a' + i)), {}});
    CO_TRY_OK(co_await store->write_all(std::move(writes)));
    co_return Unit{};
  });
  store.reset();
  store = open("db");
  check([&]() -> Task<> {
    CO_TRY(const Range all, co_await store->range({}));
    EXPECT_EQ(all.items.size(), 9u);
    co_return Unit{};
  });
}

// Flips one byte of a stored value behind the engine's back: it is never served.
TEST_F(Reopen, ADamagedValueIsNeverServed) {
  auto store = open("db");
  check([&]() -> Task<> {
    CO_TRY_OK(co_await store->write({"/a", "precious", {}}));
    co_return Unit{};
  });
  store.reset();
  change("db", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* versions) {
    std::string bytes;
    ASSERT_TRUE(db.Get({}, versions, version_key({1}), &bytes).ok());
    bytes.back() ^= 1;
    ASSERT_TRUE(db.Put({}, versions, version_key({1}), bytes).ok());
  });
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

// One bit of one file flips while the store is closed: the damage is told, or all that was
// acknowledged is served as it was.
#include <rocksdb/db.h>

#include <array>
#include <fstream>

#include "base/io/files.h"
#include "store/crash_fixture.h"
#include "store/lossy_disk.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/seal.h"

namespace atl::store {
namespace {

namespace fs = std::filesystem;
using Contents = std::map<std::string, std::string>;

void flip(const fs::path& file, uint64_t at, int bit) {
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(std::streamoff(at));
  const char flipped = char(bytes.get() ^ (1 << bit));
  bytes.seekp(std::streamoff(at));
  bytes.put(flipped);
}

void copy_folder(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to);
}

std::vector<fs::path> files_of(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.file_size() > 0) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}
std::vector<fs::path> files_with(const std::string& folder, std::string_view part) {
  std::vector<fs::path> files = files_of(folder);
  std::erase_if(files, [&](const fs::path& path) {
    return path.filename().string().find(part) == std::string::npos;
  });
  return files;
}

// Everything that the store in a folder tells; an error where it tells of damage.
Result<Contents> contents(const std::string& folder) {
  asio::io_context loop;
  auto store = RocksStore::open(loop.get_executor(), {.folder = folder});
  if (!store) return std::move(store).error();
  Contents out;
  const auto read = run(loop, [&]() -> Task<> {
    CO_TRY(const Range all, co_await (*store)->range({}));
    for (const Stored& item : all.items) out[item.key] = *item.value;
    CO_TRY(const auto events, co_await (*store)->history("", {}, 1'000'000));
    for (const Event& event : events)
      out["revision " + std::to_string(event.now.modified.value)] = *event.now.value;
    co_return Unit{};
  });
  if (!read) return read.error();
  return out;
}

class FlippedBit : public Crash {
 protected:
  enum class End { kClosed, kKilled };

  // A store after many writes. `buffer`: how much of them stays in the log before it goes to
  // tables.
  void make(size_t buffer, End end) {
    const auto disk = std::make_shared<LossyDisk>();
    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(),
                                  {.folder = db(), .buffer_bytes = buffer, .disk = disk});
    ASSERT_TRUE(store.has_value()) << store.error().message();
    uint64_t next = 1;
    SeededRng rng(5);
    write_some(loop, **store, rng, next, 300, [](const std::string&, uint64_t) {}, nullptr);
    if (end == End::kKilled) disk->fail_after(0);
    store->reset();
    expect_contents();
  }
  void expect_contents() {
    copy_folder(db(), hurt());
    auto found = contents(hurt());
    ASSERT_TRUE(found.has_value()) << found.error().message();
    ASSERT_GT(found->size(), 400u) << "keys and revisions";
    expected_ = *std::move(found);
  }
  std::string hurt() const { return folder_ + "/hurt"; }

  // Flips a bit in a copy. Whether it was told; what is served otherwise is checked.
  bool told(const std::string& name, uint64_t at, int bit) {
    copy_folder(db(), hurt());
    flip(hurt() + "/" + name, at, bit);
    const auto found = contents(hurt());
    if (!found) {
      EXPECT_EQ(found.error().code(), Code::kInternal) << found.error().message();
      return true;
    }
    EXPECT_TRUE(*found == expected_) << difference(*found) << ", served after bit " << bit
                                     << " of byte " << at << " of " << name << " flipped";
    return false;
  }
  std::string difference(const Contents& found) const {
    for (const auto& [key, value] : expected_) {
      if (!found.contains(key)) return key + " is missing";
      if (found.at(key) != value) return key + " is another one";
    }
    return "there is more than was written";
  }

  // Flips random bits of files of every kind; how many were told.
  int flip_some(int count) {
    const uint64_t start = seed(6);
    SeededRng rng(start);
    std::array<std::vector<fs::path>, 4> kinds = {
        files_with(db(), ".sst"), files_with(db(), ".log"), files_with(db(), "MANIFEST"), {}};
    for (const char* name : {"CURRENT", "IDENTITY", "OPTIONS", "seal"}) {
      for (const fs::path& path : files_with(db(), name)) kinds[3].push_back(path);
    }
    int seen = 0;
    for (int i = 0; i < count && !HasFailure(); ++i) {
      const auto& files = kinds[rng.below(kinds.size())];
      if (files.empty()) continue;
      const fs::path& file = files[rng.below(files.size())];
      const uint64_t at = rng.below(fs::file_size(file));
      if (told(file.filename(), at, int(rng.below(8)))) ++seen;
      EXPECT_FALSE(HasFailure()) << "flip " << i << " of seed " << start;
    }
    return seen;
  }

  Contents expected_;
};

TEST_F(FlippedBit, OfTablesIsToldOrHarmless) {
  make(64 << 10, End::kClosed);
  EXPECT_GT(flip_some(rounds({50, 200, 2'000})), 0);
}

TEST_F(FlippedBit, OfTablesIsToldOrHarmlessAfterAKill) {
  make(64 << 10, End::kKilled);
  EXPECT_GT(flip_some(rounds({50, 200, 2'000})), 0);
}

TEST_F(FlippedBit, OfALogIsToldOrHarmless) {
  make(16 << 20, End::kClosed);
  EXPECT_GT(flip_some(rounds({50, 200, 2'000})), 0);
}

TEST_F(FlippedBit, OfALogIsToldOrHarmlessAfterAKill) {
  make(16 << 20, End::kKilled);
  EXPECT_GT(flip_some(rounds({50, 200, 2'000})), 0);
}

// RocksDB takes a last record that it cannot read for one that was never finished.
TEST_F(FlippedBit, InTheLastAcknowledgedRecordIsTold) {
  make(256 << 10, End::kKilled);
  const auto seal = read_seal(db());
  ASSERT_TRUE(seal.has_value());
  const fs::path log = files_with(db(), ".log").back();
  const fs::path manifest = files_with(db(), "MANIFEST").back();
  for (int bit = 0; bit < 8; ++bit) {
    EXPECT_TRUE(told(log.filename(), seal->log_bytes - 1, bit));
    EXPECT_TRUE(told(manifest.filename(), seal->manifest_bytes - 1, bit));
  }
}

// A record's length that is too large reads like the torn end of the file wherever it stands.
TEST_F(FlippedBit, OfEveryByteOfTheManifestIsTold) {
  make(256 << 10, End::kKilled);
  const fs::path manifest = files_with(db(), "MANIFEST").back();
  const auto seal = read_seal(db());
  ASSERT_TRUE(seal && seal->manifest_bytes > 0);
  for (uint64_t at = 0; at < seal->manifest_bytes && !HasFailure(); ++at)
    EXPECT_TRUE(told(manifest.filename(), at, int(at % 8))) << "byte " << at;
}

// The seal of an older state, or none, is what a power failure may leave: then the last record is
// not looked behind, and nothing else is lost.
TEST_F(FlippedBit, WithoutASealOnlyTheLastRecordIsTakenForUnfinished) {
  make(16 << 20, End::kKilled);
  fs::remove(seal_path(db()));
  const fs::path log = files_with(db(), ".log").back();
  const auto bytes = io::read_file(log);
  ASSERT_TRUE(bytes.has_value());
  EXPECT_TRUE(told(log.filename(), 100'000, 3));
  copy_folder(db(), hurt());
  flip(hurt() + "/" + log.filename().string(), bytes->find_last_not_of('\0'), 0);
  const auto found = contents(hurt());
  ASSERT_TRUE(found.has_value()) << found.error().message();
  EXPECT_LT(found->size(), expected_.size());
  EXPECT_GE(found->size() + size_t(2) * kWriters, expected_.size())
      << "of each write of the last commit a key and a revision";
}

// Puts all tables into one level, several beside each other.
void compact_into_a_level(const std::string& folder) {
  rocksdb::Options options;
  options.target_file_size_base = 1 << 10;
  options.disable_auto_compactions = true;
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  ASSERT_TRUE(rocksdb::DB::Open(options, folder,
                                {{"default", options}, {"versions", options}, {"keys", options}},
                                &handles, &raw)
                  .ok());
  for (auto* handle : handles) {
    ASSERT_TRUE(raw->CompactRange({}, handle, nullptr, nullptr).ok());
    raw->DestroyColumnFamilyHandle(handle);
  }
  delete raw;
  fs::remove(seal_path(folder));  // it is of the files before
}

// RocksDB 7.8 ends an iterator without an error where the first block of the next table of a level
// cannot be read, unless it is told not to look for deleted ranges.
TEST_F(FlippedBit, InTheFirstBlockOfAnyTableIsTold) {
  make(64 << 10, End::kClosed);
  compact_into_a_level(db());
  expect_contents();
  const auto tables = files_with(db(), ".sst");
  ASSERT_GT(tables.size(), 10u);
  for (const fs::path& table : tables) EXPECT_TRUE(told(table.filename(), 10, 1)) << table;
}

// RocksDB's build in Debian aborts at some damage, of which only the highest bit of a byte is
// known.
TEST_F(FlippedBit, OfTheEndOfATableIsToldOrHarmless) {
  make(64 << 10, End::kClosed);
  const fs::path table = files_with(db(), ".sst").front();
  const uint64_t size = fs::file_size(table);
  for (uint64_t at = size - 200; at < size && !HasFailure(); ++at) told(table.filename(), at, 7);
}

TEST_F(FlippedBit, InACopyIsTold) {
  make(64 << 10, End::kClosed);
  {
    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(), {.folder = db()});
    ASSERT_TRUE(store.has_value()) << store.error().message();
    const auto made =
        run(loop, [&]() -> Task<> { co_return co_await (*store)->backup(folder_ + "/copy"); });
    ASSERT_TRUE(made.has_value()) << made.error().message();
  }
  fs::remove_all(db());
  fs::rename(folder_ + "/copy", db());
  const fs::path manifest = files_with(db(), "MANIFEST").back();
  EXPECT_TRUE(told(manifest.filename(), fs::file_size(manifest) - 1, 0));
}

}  // namespace
}  // namespace atl::store

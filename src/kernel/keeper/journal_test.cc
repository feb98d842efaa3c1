#include "kernel/keeper/journal.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace atl::keeper {
namespace {

ContainerRecord record_of(std::string_view id, State state = State::kCreated, int code = 0) {
  ContainerRecord r;
  put(r.info.id, id);
  r.info.state = state;
  r.info.exit.code = code;
  return r;
}

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/atoll-journal-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file() const { return folder_ + "/journal"; }
  ContainerRecords reopened() {
    ContainerRecords records;
    EXPECT_TRUE(Journal::open(file(), records));
    return records;
  }
  std::string folder_;
};

TEST_F(JournalTest, TheLastRecordOfAnIdCounts) {
  ContainerRecords none;
  auto journal = Journal::open(file(), none);
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->put(record_of("a")));
  ASSERT_TRUE(journal->put(record_of("b")));
  ASSERT_TRUE(journal->put_durable(record_of("a", State::kExited, 4)));
  ASSERT_TRUE(journal->remove("b"));
  const ContainerRecords records = reopened();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records.at("a").info.exit.code, 4);
  EXPECT_EQ(records.at("a").info.state, State::kExited);
}

TEST_F(JournalTest, ATornTailIsCutOffAndWritingGoesOn) {
  ContainerRecords none;
  {
    auto journal = Journal::open(file(), none);
    ASSERT_TRUE(journal->put(record_of("a")));
    ASSERT_TRUE(journal->put(record_of("torn")));
  }
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) - 5);
  {
    ContainerRecords records;
    auto journal = Journal::open(file(), records);
    EXPECT_EQ(records.size(), 1u);
    ASSERT_TRUE(journal->put(record_of("c")));
  }
  EXPECT_EQ(reopened().size(), 2u);
}

TEST_F(JournalTest, AFlippedBitEndsTheJournalThere) {
  ContainerRecords none;
  {
    auto journal = Journal::open(file(), none);
    for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(journal->put(record_of(id)));
  }
  const auto size = std::filesystem::file_size(file());
  FILE* f = std::fopen(file().c_str(), "r+b");
  std::fseek(f, long(size / 3 + 100), SEEK_SET);
  std::fputc('x', f);
  std::fclose(f);
  EXPECT_EQ(reopened().size(), 1u);
}

TEST_F(JournalTest, IsRewrittenWhenMostOfItIsHistory) {
  ContainerRecords records;
  auto journal = Journal::open(file(), records);
  records["keep"] = record_of("keep");
  ASSERT_TRUE(journal->put(records["keep"]));
  for (size_t i = 0; i < Journal::kSlack; ++i) {
    ASSERT_TRUE(journal->put(record_of("x")));
  }
  ASSERT_TRUE(journal->compact_if_large(records));
  EXPECT_LT(std::filesystem::file_size(file()), 10'000u);
  ASSERT_TRUE(journal->put(record_of("after")));
  const ContainerRecords again = reopened();
  EXPECT_EQ(again.size(), 2u);
  EXPECT_TRUE(again.contains("after"));
}

TEST_F(JournalTest, RoomThatWasTakenIsThereWhenTheDiskIsFull) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1m"), 0);
  {
    ContainerRecords none;
    auto journal = Journal::open(file(), none);
    ASSERT_TRUE(journal);
    constexpr size_t kRoom = 100;
    ASSERT_TRUE(journal->reserve(kRoom));
    EXPECT_EQ(std::filesystem::file_size(file()), 0u) << "the size says where the records end";
    std::ofstream(folder_ + "/filler") << std::string(2 << 20, 'x');
    ASSERT_EQ(std::filesystem::space(folder_).available, 0u);
    size_t written = 0;
    while (written < 10 * kRoom && journal->put_durable(record_of("a", State::kExited, 4)))
      ++written;
    EXPECT_GE(written, kRoom);
    EXPECT_LT(written, 10 * kRoom) << "the disk is not full: the test shows nothing";
    EXPECT_FALSE(journal->reserve(kRoom));
    std::filesystem::remove(folder_ + "/filler");
    EXPECT_TRUE(journal->put(record_of("b")));
    EXPECT_EQ(reopened().size(), 2u) << "no half record stands between them";
  }
  EXPECT_EQ(::umount(folder_.c_str()), 0);
}

TEST_F(JournalTest, SaysWhereTheDiskIsFull) {
  ContainerRecords none;
  auto journal = Journal::open("/dev/full", none);
  // A device cannot be cut; the error names the file in any case.
  if (!journal) {
    EXPECT_NE(journal.error().message().find("/dev/full"), std::string::npos);
    return;
  }
  auto written = journal->put(record_of("a"));
  ASSERT_FALSE(written);
}

}  // namespace
}  // namespace atl::keeper

#include "base/io/quick_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace atl::io {
namespace {

class QuickFileTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/atoll-quick-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(QuickFileTest, ReplacesAndSetsTheMode) {
  const std::string file = folder_ + "/f";
  ASSERT_TRUE(replace_quickly(file, "a longer text", 0644));
  ASSERT_TRUE(replace_quickly(file, "short", 0600));
  EXPECT_EQ(*read_replaced(file), "short");
  struct stat about{};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  ASSERT_TRUE(write_quickly(file, "s", 0640));
  EXPECT_EQ(*read_replaced(file), "s") << "what was longer before is cut";
}

TEST_F(QuickFileTest, IsWholeWhereverItsWriterEnded) {
  const std::string file = folder_ + "/f";
  EXPECT_EQ(read_replaced(file).error().code(), Code::kNotFound);
  ASSERT_TRUE(write_quickly(file, "old", 0600));
  ASSERT_TRUE(write_quickly(file + ".new", "ne", 0600));
  EXPECT_EQ(*read_replaced(file), "old") << "ended while it wrote the new one";
  ASSERT_TRUE(write_quickly(file + ".new", "new", 0600));
  ::unlink(file.c_str());
  EXPECT_EQ(*read_replaced(file), "new") << "ended between removal and rename";
}

TEST_F(QuickFileTest, FollowsNoLink) {
  ASSERT_EQ(::symlink("/etc/hostname", (folder_ + "/link").c_str()), 0);
  EXPECT_FALSE(write_quickly(folder_ + "/link", "x", 0600));
}

}  // namespace
}  // namespace atl::io

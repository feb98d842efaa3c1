#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/io/files.h"
#include "base/io/layout.h"

namespace atl::io {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    char pattern[] = "/tmp/atoll-io-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Files, AtomicWriteReplacesAndSetsTheMode) {
  const std::string path = folder_ + "/key";
  ASSERT_TRUE(write_file_atomic(path, "one", 0600));
  ASSERT_TRUE(write_file_atomic(path, "two", 0600));
  EXPECT_EQ(*read_file(path), "two");
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_F(Files, ErrorsSayWhatToDo) {
  EXPECT_EQ(read_file(folder_ + "/none").error().code(), Code::kNotFound);
  ASSERT_TRUE(write_file_atomic(folder_ + "/big", "12345", 0600));
  EXPECT_EQ(read_file(folder_ + "/big", 4).error().code(), Code::kTooLarge);
  EXPECT_EQ(make_folders(folder_ + "/big/x", 0700).error().code(), Code::kUnavailable);
  EXPECT_TRUE(make_folders(folder_ + "/a/b/c", 0700));
  EXPECT_TRUE(make_folders(folder_ + "/a/b/c", 0700));
}

TEST(Layout, InstancesNeverMeet) {
  EXPECT_EQ(Layout::of("").etc, "/etc/atoll");
  EXPECT_EQ(Layout::of("/srv/a").instance, Layout::of("/srv/a/").instance);
  EXPECT_NE(Layout::of("/srv/a").instance, Layout::of("/srv/b").instance);
}

TEST(Config, ReadsKeysAndNamesBadLines) {
  const auto good = Config::parse("# c\nAPI_PORT = 6443\n\nX=a=b\n");
  ASSERT_TRUE(good);
  EXPECT_EQ(*good->port("API_PORT"), 6443);
  EXPECT_EQ(good->get("X"), "a=b");
  EXPECT_FALSE(good->port("X"));
  const auto lists = Config::parse("A=192.0.2.1, ::1  192.0.2.1\nB=192.0.2.1 example\n");
  ASSERT_TRUE(lists);
  EXPECT_EQ(*lists->addresses("A"), (std::vector<std::string>{"192.0.2.1", "::1"}));
  EXPECT_TRUE(lists->addresses("C")->empty());
  EXPECT_EQ(lists->addresses("B").error().message(),
            "B in atoll.conf: example is not an IP address");
  EXPECT_EQ(Config::parse("A=1\nnonsense\n").error().message(), "line 2: must be KEY=value");
}

}  // namespace
}  // namespace atl::io

#include "kernel/keeper/exec_fifo.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/io/unique_fd.h"

namespace atl::keeper {
namespace {

class ExecFifoTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/atoll-fifo-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    std::filesystem::create_directory(folder_ + "/c");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string fifo() const { return folder_ + "/c/exec.fifo"; }
  std::string folder_;
};

TEST_F(ExecFifoTest, ReleasesWhoReads) {
  ASSERT_EQ(::mkfifo(fifo().c_str(), 0600), 0);
  const io::UniqueFd reader(::open(fifo().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_TRUE(release_by_fifo(folder_, "c"));
  char byte = 'x';
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
  EXPECT_FALSE(std::filesystem::exists(fifo())) << "its absence says: started";
  EXPECT_FALSE(release_by_fifo(folder_, "c")) << "only once";
}

TEST_F(ExecFifoTest, LeavesTheRestToTheCommand) {
  EXPECT_FALSE(release_by_fifo(folder_, "none"));
  ASSERT_EQ(::mkfifo(fifo().c_str(), 0600), 0);
  EXPECT_FALSE(release_by_fifo(folder_, "c")) << "nobody reads: the container ended";
  EXPECT_TRUE(std::filesystem::exists(fifo()));
}

}  // namespace
}  // namespace atl::keeper

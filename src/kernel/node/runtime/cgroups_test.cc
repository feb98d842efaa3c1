#include "kernel/node/runtime/cgroups.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/io/files.h"

namespace atl::node {
namespace {

namespace fs = std::filesystem;

// Folders in the place of a cgroup file system, in both layouts; the files of a pod's group are
// there as a kernel would make them.
class CgroupsTest : public testing::TestWithParam<bool> {
 protected:
  CgroupsTest() {
    char name[] = "/tmp/atoll-cgroups-XXXXXX";
    mount_ = ::mkdtemp(name);
    if (unified()) {
      touch("/cgroup.controllers"), touch("/cgroup.subtree_control");
    } else {
      for (const char* controller : {"memory", "cpu", "pids"}) {
        fs::create_directories(mount_ + "/" + controller);
        touch(std::string("/") + controller + "/cgroup.procs");
      }
    }
    for (const char* controller : {"memory", "cpu", "pids"})
      fs::create_directories(pod(controller));
  }
  ~CgroupsTest() override { fs::remove_all(mount_); }
  bool unified() const { return GetParam(); }
  void touch(const std::string& path) const { std::ofstream(mount_ + path).flush(); }
  std::string pod(const std::string& controller) const {
    return mount_ + (unified() ? "" : "/" + controller) + "/test/podu1";
  }
  std::string mount_;
};

TEST_P(CgroupsTest, ThePodsGroupHoldsItsLimits) {
  const std::string memory = pod("memory") + (unified() ? "/memory.max" : "/memory.limit_in_bytes");
  const std::string cpu = pod("cpu") + (unified() ? "/cpu.weight" : "/cpu.shares");
  const std::string pids = pod("pids") + "/pids.max";
  const std::string quota = pod("cpu") + (unified() ? "/cpu.max" : "/cpu.cfs_quota_us");
  const std::string period = pod("cpu") + "/cpu.cfs_period_us";
  for (const std::string& file : {memory, cpu, quota, period, pids}) std::ofstream(file).flush();
  const auto cgroups = Cgroups::open("test", mount_);
  ASSERT_TRUE(cgroups) << cgroups.error().message();
  const auto made = cgroups->make_pod(
      "u1",
      {.memory_bytes = 1'000'000, .cpu_shares = 1'024, .cpu_quota_us = 25'000, .processes = 77});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(*io::read_file(memory), "1000000");
  EXPECT_EQ(*io::read_file(cpu), unified() ? "39" : "1024");
  EXPECT_EQ(*io::read_file(quota), unified() ? "25000 100000" : "25000");
  EXPECT_EQ(*io::read_file(period), unified() ? "" : "100000");
  EXPECT_EQ(*io::read_file(pids), "77");
}

TEST_P(CgroupsTest, AMissingControllerIsNoErrorARefusedLimitIs) {
  const auto cgroups = Cgroups::open("test", mount_);
  ASSERT_TRUE(cgroups);
  EXPECT_TRUE(cgroups->make_pod("u1", {.memory_bytes = 1, .cpu_shares = 2, .processes = 3}));
  const std::string memory = pod("memory") + (unified() ? "/memory.max" : "/memory.limit_in_bytes");
  const std::string pids = pod("pids") + "/pids.max";
  for (const std::string& file : {memory, pids}) {
    fs::create_symlink("/dev/full", file);
    const auto refused = cgroups->make_pod("u1", {.memory_bytes = 1, .processes = 3});
    EXPECT_FALSE(refused);
    if (!refused) EXPECT_NE(refused.error().message().find(file), std::string::npos);
    fs::remove(file);
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, CgroupsTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Unified" : "Legacy"; });

TEST(ProcessLimit, LeavesTheMachineIdsToSpare) {
  EXPECT_GE(default_process_limit(), 1);
  EXPECT_LE(default_process_limit(), 4'096);
}

}  // namespace
}  // namespace atl::node

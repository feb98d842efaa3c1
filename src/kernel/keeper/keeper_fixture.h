#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>

#include "base/core/clock.h"
#include "base/io/files.h"
#include "kernel/keeper/client.h"
#include "kernel/keeper/keeper.h"

namespace atl::keeper {

// A keeper in a process of its own, over a folder of its own, and bundles of busybox for crun. For
// tests.
class KeeperFixture : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/bin/crun", X_OK) != 0) GTEST_SKIP() << "needs crun";
    if (::access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "needs busybox-static";
    char name[] = "/tmp/atoll-keeper-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    cgroup_ = "atoll-test-" + std::to_string(::getpid());
    ASSERT_TRUE(io::make_folders(rootfs() + "/bin", 0755));
    shell("cp /bin/busybox " + rootfs() +
          "/bin/ && for c in sh sleep echo cat kill true; do ln -sf busybox " + rootfs() +
          "/bin/$c; done");
    start_keeper();
  }

  void TearDown() override {
    if (folder_.empty()) return;
    stop_keeper(SIGTERM);  // what is being created is on record when it has left
    start_keeper();
    if (auto client = KeeperClient::connect(socket())) {
      if (auto all = client->list()) {
        for (const ContainerView& c : *all) EXPECT_TRUE(client->remove(c.id()));
      }
    }
    stop_keeper(SIGTERM);
    shell("rmdir /sys/fs/cgroup/" + cgroup_ + " /sys/fs/cgroup/*/" + cgroup_ +
          " 2>/dev/null; rm -rf " + folder_);
  }

  std::string socket() const { return folder_ + "/keeper.sock"; }
  std::string rootfs() const { return folder_ + "/rootfs"; }
  static bool hybrid() { return ::access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0; }

  // Exactly one child at a time; it dies with the test only where told, as in production.
  void start_keeper() {
    keeper_ = ::fork();
    if (keeper_ == 0) {
      ::setsid();
      const SystemClock clock;
      auto keeper = Keeper::open({socket(),
                                  journal_.empty() ? folder_ + "/journal" : journal_,
                                  folder_,
                                  {"keeper-test", folder_}},
                                 clock);
      if (!keeper) ::_exit(1);
      ::_exit((*keeper)->run() ? 0 : 1);
    }
    for (int i = 0; i < 500 && !KeeperClient::connect(socket()); ++i) ::usleep(10'000);
  }

  void stop_keeper(int signal) {
    if (keeper_ <= 0) return;
    ::kill(keeper_, signal);
    ::waitpid(keeper_, nullptr, 0);
    keeper_ = -1;
  }

  KeeperClient connect(bool subscribe = false) {
    auto client = KeeperClient::connect(socket());
    EXPECT_TRUE(client) << client.error().message();
    EXPECT_TRUE(client->hello(subscribe));
    return *std::move(client);
  }

  // A bundle that runs `script` by sh.
  CreateArguments bundle(const std::string& id, const std::string& script, uint32_t flags = 0) {
    const std::string path = folder_ + "/" + id;
    EXPECT_TRUE(io::make_folders(path + "/rootfs", 0755));
    std::string quoted;
    for (const char c : script)
      quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    const std::string config =
        R"({"ociVersion":"1.0.2","process":{"terminal":)" +
        std::string(flags & kTerminal ? "true" : "false") +
        R"(,"user":{"uid":0,"gid":0},"args":["/bin/sh","-c",")" + quoted +
        R"("],"env":["PATH=/bin"],"cwd":"/"},"root":{"path":"rootfs"},"mounts":[)"
        R"({"destination":"/proc","type":"proc","source":"proc"},)"
        R"({"destination":"/dev","type":"tmpfs","source":"tmpfs"},)"
        R"({"destination":"/dev/pts","type":"devpts","source":"devpts","options":["newinstance","ptmxmode=0666"]}],)"
        R"("linux":{"cgroupsPath":"/)" +
        cgroup_ + "/" + id +
        R"(","namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"}]}})";
    EXPECT_TRUE(io::write_file_atomic(path + "/config.json", config, 0600));
    CreateArguments a;
    a.id = id, a.flags = flags | (hybrid() ? kLegacyCgroups : 0);
    a.runtime = "/usr/bin/crun", a.state_folder = folder_ + "/crun", a.bundle = path;
    a.overlay_target = path + "/rootfs";
    a.overlay_lowers = {rootfs()};
    a.overlay_upper = path + "/upper", a.overlay_work = path + "/work";
    EXPECT_TRUE(io::make_folders(a.overlay_upper, 0755));
    EXPECT_TRUE(io::make_folders(a.overlay_work, 0755));
    return a;
  }

  static std::string read_all(int fd, Duration limit = std::chrono::seconds(10));
  static void shell(const std::string& line);

  std::string folder_;
  std::string cgroup_;
  std::string journal_;  // empty: in the folder
  int keeper_ = -1;
};

inline void KeeperFixture::shell(const std::string& line) {
  const int pid = ::fork();
  if (pid == 0) {
    ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  ::waitpid(pid, nullptr, 0);
}

// Until the end of the stream: the fds are non-blocking.
inline std::string KeeperFixture::read_all(int fd, Duration limit) {
  std::string out;
  const int ms = int(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
  for (;;) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, ms) <= 0) return out;
    char buffer[4096];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return out;  // EIO: a terminal whose other side closed
    out.append(buffer, size_t(n));
  }
}

}  // namespace atl::keeper

#include "kernel/keeper/supervisor.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "base/io/files.h"
#include "kernel/keeper/launch.h"
#include "kernel/keeper/rotation.h"

namespace atl::keeper {
namespace {

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    char name[] = "/tmp/atoll-sup-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    ::chmod(name, 0777);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // stands for init: orphans of a killed supervisor end here
  }
  void TearDown() override {
    if (supervisor_ > 0) {
      ask("stop");
      ::waitpid(supervisor_, nullptr, 0);
    }
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  ServiceSpec service(const std::string& name, const std::string& script) const {
    ServiceSpec s;
    s.name = name;
    s.argv = {"/bin/sh", "-c", script};
    s.log_file = folder_ + "/" + name + ".log";
    s.pid_file = folder_ + "/" + name + ".pid";
    s.grace = std::chrono::seconds(2);
    return s;
  }

  void start(std::vector<ServiceSpec> services) {
    supervisor_ = ::fork();
    if (supervisor_ != 0) return;
    const SystemClock clock;
    SupervisorOptions options;
    options.lock_file = folder_ + "/lock";
    options.control_socket = folder_ + "/control.sock";
    options.keeper_socket = folder_ + "/keeper.sock";
    options.services = std::move(services);
    auto s = Supervisor::open(options, clock);
    ::_exit(s && (*s)->run() ? 0 : 1);
  }

  std::string ask(const std::string& line) const {
    const io::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder_ + "/control.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return {};
    const std::string text = line + "\n";
    if (::write(fd.get(), text.data(), text.size()) < 0) return {};
    std::string out;
    char buffer[1024];
    for (ssize_t n = 0; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
      out.append(buffer, size_t(n));
    return out;
  }

  // The service's pid once it is up and differs from `old`.
  int pid_of(const std::string& name, int old = 0) const {
    for (int i = 0; i < 1'000; ++i) {
      const std::string status = ask("status");
      const size_t at = status.find(name + " up ");
      const int pid =
          at == std::string::npos ? 0 : std::atoi(status.c_str() + at + name.size() + 4);
      if (pid > 0 && pid != old) return pid;
      ::usleep(10'000);
    }
    ADD_FAILURE() << name << " did not come up: " << ask("status");
    return 0;
  }

  bool wait_for(const std::function<bool()>& condition) const {
    for (int i = 0; i < 1'000; ++i) {
      if (condition()) return true;
      ::usleep(10'000);
    }
    return false;
  }

  std::string folder_;
  int supervisor_ = -1;
};

TEST_F(SupervisorTest, RestartsWhatEnds) {
  start({service("web", "exec sleep 1000")});
  const int first = pid_of("web");
  ASSERT_GT(first, 0);
  EXPECT_EQ(::getsid(first), first) << "a session of its own";
  ::kill(first, SIGKILL);
  const int second = pid_of("web", first);
  EXPECT_GT(second, 0);
  EXPECT_NE(ask("status").find("web up " + std::to_string(second) + " 1"), std::string::npos);
}

TEST_F(SupervisorTest, ItsOwnDeathDisturbsNobodyAndTheNextOneTakesOver) {
  const std::vector<ServiceSpec> services = {service("a", "exec sleep 1000"),
                                             service("b", "exec sleep 1000")};
  start(services);
  const int a = pid_of("a");
  const int b = pid_of("b");
  ::kill(supervisor_, SIGKILL);
  ::waitpid(supervisor_, nullptr, 0);
  EXPECT_EQ(::kill(a, 0), 0);
  EXPECT_EQ(::kill(b, 0), 0);
  start(services);
  ASSERT_EQ(pid_of("a"), a);
  ASSERT_EQ(pid_of("b"), b);
  ::kill(a, SIGKILL);
  ::waitpid(a, nullptr, 0);
  ASSERT_GT(pid_of("a", a), 0) << "an adopted service is restarted too";
  ASSERT_EQ(ask("stop"), "ok\n");
  ::waitpid(supervisor_, nullptr, 0);
  supervisor_ = -1;
  ::waitpid(b, nullptr, 0);
  EXPECT_NE(::kill(b, 0), 0) << "stop ends adopted services";
}

TEST_F(SupervisorTest, OnlyOneRunsAnInstance) {
  start({service("web", "exec sleep 1000")});
  pid_of("web");
  const int first = supervisor_;
  start({service("web", "exec sleep 1000")});
  int status = 0;
  ::waitpid(supervisor_, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  supervisor_ = first;
}

TEST_F(SupervisorTest, DropsRootAndKeepsOnlyLowPorts) {
  ServiceSpec s = service("proxy", "id -u; grep CapEff /proc/self/status; exec sleep 1000");
  s.user = "nobody";
  s.low_ports = true;
  start({s});
  pid_of("proxy");
  ASSERT_TRUE(wait_for([&] {
    auto log = io::read_file(folder_ + "/proxy.log");
    return log && log->find("CapEff") != std::string::npos && log->back() == '\n';
  }));
  const std::string log = *io::read_file(folder_ + "/proxy.log");
  EXPECT_TRUE(log.starts_with("65534\n")) << log;
  EXPECT_NE(log.find("0000000000000400"), std::string::npos) << log;
}

TEST_F(SupervisorTest, WaitsForAFileAndAnswersControlLines) {
  ServiceSpec s = service("proxy", "exec sleep 1000");
  s.wait_for_file = folder_ + "/config";
  start({s});
  ASSERT_TRUE(wait_for([&] { return ask("status").find("proxy waiting 0") != std::string::npos; }));
  EXPECT_EQ(ask("reload proxy"), "error: proxy cannot reload\n");
  EXPECT_EQ(ask("reload other"), "error: no service is named 'other'\n");
  EXPECT_NE(ask("dance").find("say status"), std::string::npos);
  ASSERT_TRUE(io::write_file_atomic(s.wait_for_file, "x", 0644));
  const int pid = pid_of("proxy");
  EXPECT_EQ(ask("restart proxy"), "ok\n");
  EXPECT_GT(pid_of("proxy", pid), 0);
}

// Somebody who sends a byte now and then is cut off, whoever it is.
TEST_F(SupervisorTest, NobodyHoldsItUp) {
  start({service("web", "exec sleep 1000")});
  pid_of("web");
  constexpr int kBytes = 200;  // in ten seconds
  for (const uid_t uid : {uid_t(0), uid_t(65'534)}) {
    SCOPED_TRACE(uid);
    const int peer = ::fork();
    if (peer == 0) {
      if (::setuid(uid) != 0) ::_exit(255);
      const io::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      (folder_ + "/control.sock").copy(address.sun_path, sizeof address.sun_path - 1);
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0)
        ::_exit(254);
      int sent = 0;
      while (sent < kBytes && ::send(fd.get(), "s", 1, MSG_NOSIGNAL) == 1) {
        ++sent;
        ::usleep(50'000);
      }
      ::_exit(sent);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(peer, &status, 0), peer);
    EXPECT_LT(WEXITSTATUS(status), kBytes / 2) << "it was heard to the end";
    EXPECT_NE(ask("status").find("web up"), std::string::npos);
  }
}

TEST_F(SupervisorTest, RefusesAStaleRecord) {
  const ServiceSpec s = service("web", "exec sleep 1000");
  // A live process under the recorded pid, but not the recorded one.
  ASSERT_TRUE(io::write_file_atomic(s.pid_file, std::to_string(::getpid()) + " 1\n", 0644));
  EXPECT_FALSE(find_service(s));
  ASSERT_TRUE(io::write_file_atomic(
      s.pid_file, std::to_string(::getpid()) + " " + std::to_string(start_ticks(::getpid())) + "\n",
      0644));
  EXPECT_TRUE(find_service(s));
  ASSERT_TRUE(io::write_file_atomic(s.pid_file, "nonsense", 0644));
  EXPECT_FALSE(find_service(s));
}

TEST(RestartDelay, GrowsToTenSeconds) {
  EXPECT_EQ(restart_delay(0), Duration::zero());
  EXPECT_EQ(restart_delay(1), Duration::zero()) << "the first restart is at once";
  EXPECT_EQ(restart_delay(2), std::chrono::milliseconds(100));
  EXPECT_EQ(restart_delay(4), std::chrono::milliseconds(400));
  EXPECT_EQ(restart_delay(100), std::chrono::seconds(10));
}

TEST(Rotation, MovesTheFrontAndLosesNothing) {
  char name[] = "/tmp/atoll-rot-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string file = std::string(name) + "/log";
  std::string all;
  {
    FILE* f = std::fopen(file.c_str(), "a");  // O_APPEND, as a service has it
    for (int i = 0; i < 4'000; ++i) all += "line " + std::to_string(i) + "\n";
    std::fputs(all.c_str(), f);
    std::fflush(f);
    ASSERT_FALSE(*rotate_if_large(file, 1 << 20, 2)) << "small enough";
    auto done = rotate_if_large(file, 10'000, 2);
    ASSERT_TRUE(done) << done.error().message();
    ASSERT_TRUE(*done);
    std::fputs("after\n", f);
    std::fclose(f);
  }
  const std::string kept = *io::read_file(file + ".1");
  const std::string rest = *io::read_file(file);
  EXPECT_LE(rest.size(), 8'192u);
  EXPECT_EQ(kept + rest, all + "after\n");
  EXPECT_FALSE(*rotate_if_large(std::string(name) + "/none", 1, 2));
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace atl::keeper

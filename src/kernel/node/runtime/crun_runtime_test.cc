// The OCI engine on this kernel, with a real keeper, crun and busybox.
#include "kernel/node/runtime/crun_runtime.h"

#include <gmock/gmock.h>

#include <filesystem>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "kernel/keeper/keeper_fixture.h"
#include "kernel/keeper/launch.h"
#include "kernel/node/probe/action.h"
#include "kernel/node/runtime/oci_spec.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class CrunRuntimeTest : public keeper::KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    if (folder_.empty()) return;
    auto opened = Cgroups::open(cgroup_);
    if (!opened) GTEST_SKIP() << opened.error().message();
    cgroups_.emplace(*std::move(opened));
    shell("cp /bin/busybox " + rootfs() + "/bin/ && /bin/busybox --install -s " + rootfs() +
          "/bin; mkdir -p " + rootfs() + "/etc; echo 'root:x:0:0::/:/bin/sh' > " + rootfs() +
          "/etc/passwd");
    runtime_ = std::make_unique<CrunRuntime>(loop_.get_executor(), timer_, *cgroups_,
                                             CrunOptions{.state_folder = folder_ + "/crun",
                                                         .run_folder = folder_,
                                                         .keeper_program = "/proc/self/exe",
                                                         .keeper_socket = socket()});
  }
  void TearDown() override {
    runtime_.reset();
    KeeperFixture::TearDown();
    if (cgroups_) EXPECT_TRUE(cgroups_->remove_all());
  }

  // Runs the body with a connected runtime; the error's text, empty where all went well.
  std::string with_runtime(std::function<Task<>()> body) {
    runtime_->start_link();
    runtime_->on_exit([this](const std::string& id, const ExitStatus& exit) {
      exits_[id] = exit;
      news_.notify();
    });
    const Result<> done = run(loop_, [&]() -> Task<> {
      const bool connected = co_await runtime_->connected(10s);
      EXPECT_TRUE(connected);
      auto outcome = co_await body();
      co_await runtime_->stop();
      co_return outcome;
    });
    return done ? std::string() : done.error().message();
  }

  ContainerPlan plan(const std::string& script) const {
    ContainerPlan p;
    p.args = {"/bin/sh", "-c", script};
    p.env = {"PATH=/bin"};
    p.security.capabilities = default_capabilities();
    p.cgroup = cgroups_->path("uid", "c_0");
    p.cgroups = cgroup_mounts(cgroups_->views(p.cgroup));
    p.oom_score = -997;  // a right that the build machine may not give: it runs all the same
    return p;
  }
  CreateRequest request(const ContainerPlan& p) const {
    CreateRequest r;
    r.id = "uid_c_0";
    r.bundle = folder_ + "/b";
    r.scratch = folder_ + "/s";
    r.spec = oci_spec(p);
    r.lower_dirs = {rootfs()};
    r.terminal = p.terminal;
    for (const std::string& f : {r.bundle, r.scratch + "/upper", r.scratch + "/work"})
      EXPECT_TRUE(io::make_folders(f, 0755));
    return r;
  }
  Task<ExitStatus> exit_of(std::string id) {
    for (int i = 0; i < 100 && !exits_.contains(id); ++i) co_await news_.wait_for(timer_, 200ms);
    if (!exits_.contains(id)) co_return Error(Code::kTimeout, "it did not end");
    co_return exits_[id];
  }
  // What the script prints to stdout, run to its end.
  std::string output(const ContainerPlan& p, ExitStatus* exit = nullptr) {
    std::string out;
    const std::string error = with_runtime([&]() -> Task<> {
      CO_TRY(const LiveContainer live, co_await runtime_->create(request(p)));
      CO_TRY_OK(co_await runtime_->start(live.id));
      CO_TRY(const ExitStatus status, co_await exit_of(live.id));
      if (exit) *exit = status;
      out = read_all(live.stdout_pipe.get()) + read_all(live.stderr_pipe.get());
      co_return co_await runtime_->remove(live.id);
    });
    return error.empty() ? out : "error: " + error;
  }

  asio::io_context loop_{1};
  SystemTimer timer_;
  std::optional<Cgroups> cgroups_;
  std::unique_ptr<CrunRuntime> runtime_;
  std::map<std::string, ExitStatus> exits_;
  Event news_;
};

// `crun exec` on hybrid cgroups goes through the keeper's program; here that is this binary.
__attribute__((constructor)) void legacy_cgroups(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]) != "--legacy-cgroups") return;
  if (keeper::enter_legacy_view()) ::execv(argv[2], argv + 2);
  ::_exit(127);
}

TEST_F(CrunRuntimeTest, KeepsAContainerApart) {
  ContainerPlan p = plan(
      "grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status; id -u; cat /proc/kcore 2>&1 | head "
      "-c 1 | wc -c;"
      "echo x > /proc/sys/kernel/hostname; mount -t tmpfs t /mnt; unshare -r true; ls /proc | grep "
      "-c '^[0-9]'; mknod /dev/sda b 8 0; cat /dev/sda");
  p.security.no_new_privileges = true;
  const std::string out = output(p);
  EXPECT_THAT(out, HasSubstr("CapEff:\t00000000a80425fb"));
  EXPECT_THAT(out, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(out, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(out, HasSubstr("Read-only file system")) << "/proc/sys";
  EXPECT_THAT(out, HasSubstr("mount: permission denied")) << out;
  EXPECT_THAT(out, HasSubstr("unshare: ")) << out;
  EXPECT_THAT(out, HasSubstr("Operation not permitted")) << "devices are closed";
}

TEST_F(CrunRuntimeTest, TakesUserRootAndLimits) {
  ContainerPlan p = plan(
      "id; touch /x; pwd; cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
      "/sys/fs/cgroup/memory.max 2>/dev/null");
  p.security.user = {1000, 1001, {50}};
  p.security.read_only_root = true;
  p.cwd = "/bin";
  p.resources.memory_limit = 32 << 20;
  p.netns = "";
  const std::string out = output(p);
  EXPECT_THAT(out, HasSubstr("uid=1000 gid=1001 groups=50"));
  EXPECT_THAT(out, HasSubstr("Read-only file system"));
  EXPECT_THAT(out, HasSubstr("/bin\n"));
}

TEST_F(CrunRuntimeTest, SeesItsOwnGroupsAndNoOthers) {
  if (cgroups_->layout() != Cgroups::Layout::kLegacy) GTEST_SKIP() << "v2 shows one tree";
  ContainerPlan p = plan(
      "ls /sys/fs/cgroup; cat /sys/fs/cgroup/memory/memory.limit_in_bytes;"
      "grep -c . /sys/fs/cgroup/pids/cgroup.procs; ls -d /sys/fs/cgroup/*/*/;"
      "echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes");
  p.netns = "/proc/self/ns/net";
  p.resources.memory_limit = 32 << 20;
  const std::string out = output(p);
  EXPECT_THAT(out, HasSubstr("33554432\n")) << out;
  for (const char* hidden : {"cpuset", "freezer", "unified"})
    EXPECT_EQ(out.find(hidden), std::string::npos) << out;
  EXPECT_THAT(out, HasSubstr("/sys/fs/cgroup/*/*/: No such file")) << "no group below or beside";
  EXPECT_THAT(out, HasSubstr("Read-only file system"));
}

TEST_F(CrunRuntimeTest, TellsThatMemoryRanOut) {
  ContainerPlan p = plan("x=a; while true; do x=$x$x; done");
  p.resources.memory_limit = 16 << 20;
  ExitStatus exit;
  output(p, &exit);
  EXPECT_EQ(exit.code, 137);
  EXPECT_TRUE(exit.oom_killed);
}

TEST_F(CrunRuntimeTest, AKeeperThatIsBusyIsWaitedFor) {
  constexpr int kRequests = 1'000;  // more than its socket has room for
  const std::string error = with_runtime([&]() -> Task<> {
    ::kill(keeper_, SIGSTOP);
    TaskGroup group(loop_.get_executor());
    int asked = 0, answered = 0;
    std::string first_error;
    for (int i = 0; i < kRequests; ++i) {
      group.spawn("ask", [&]() -> Async<void> {
        ++asked;
        auto sent = co_await runtime_->signal("no_such_0", SIGTERM);
        if (!sent && first_error.empty()) first_error = sent.error().message();
        ++answered;
        news_.notify();
      });
    }
    for (int i = 0; i < 100 && asked < kRequests; ++i) co_await news_.wait_for(timer_, 10ms);
    EXPECT_EQ(answered, 0);
    ::kill(keeper_, SIGCONT);
    for (int i = 0; i < 2 * kRequests && answered < kRequests; ++i)
      co_await news_.wait_for(timer_, 200ms);
    co_await group.stop();
    EXPECT_EQ(answered, kRequests);
    EXPECT_EQ(first_error, "");
    co_return Unit{};
  });
  EXPECT_EQ(error, "");
}

TEST_F(CrunRuntimeTest, ExecRunsInsideAndTellsItsCode) {
  const std::string error = with_runtime([&]() -> Task<> {
    CO_TRY(const LiveContainer live,
           co_await runtime_->create(request(plan("echo > /marker; exec sleep 1000"))));
    CO_TRY_OK(co_await runtime_->start(live.id));
    const json::Value spec = oci_spec(plan(""));
    const auto exec = [&](std::vector<std::string> args) {
      return ExecRequest{live.id, folder_ + "/b", exec_process(spec, args, false), false, false};
    };
    CO_TRY(const CommandOutcome seen,
           co_await run_command(loop_.get_executor(), timer_, *runtime_,
                                exec({"/bin/sh", "-c",
                                      "until [ -e /marker ]; do sleep 0.01; done; ls /;"
                                      "grep Seccomp: /proc/self/status; exit 7"}),
                                20s));
    EXPECT_EQ(seen.code, 7);
    EXPECT_THAT(seen.output, HasSubstr("marker"));
    EXPECT_THAT(seen.output, HasSubstr("Seccomp:\t2")) << "as confined as the container";
    CO_TRY(const CommandOutcome missing,
           co_await run_command(loop_.get_executor(), timer_, *runtime_, exec({"/nothere"}), 20s));
    EXPECT_NE(missing.code, 0);
    EXPECT_THAT(missing.output, HasSubstr("nothere"));
    auto slow = co_await run_command(loop_.get_executor(), timer_, *runtime_,
                                     exec({"/bin/sleep", "500"}), 300ms);
    EXPECT_FALSE(slow);
    if (!slow) EXPECT_EQ(slow.error().code(), Code::kTimeout);
    CO_TRY(const CommandOutcome left,
           co_await run_command(loop_.get_executor(), timer_, *runtime_, exec({"/bin/ps"}), 20s));
    EXPECT_EQ(left.output.find("sleep 500"), std::string::npos)
        << "a command past its time is ended";
    CO_TRY_OK(co_await runtime_->signal(live.id, SIGKILL));
    CO_TRY(const ExitStatus exit, co_await exit_of(live.id));
    EXPECT_EQ(exit.signal, SIGKILL);
    co_return co_await runtime_->remove(live.id);
  });
  EXPECT_EQ(error, "");
}

// Its command has ended, and its pid is somebody else's by now.
TEST_F(CrunRuntimeTest, AnExecThatIsEndedEndsNobodyElse) {
  const int bystander = ::fork();
  if (bystander == 0) {
    ::pause();
    ::_exit(0);
  }
  const std::string error = with_runtime([&]() -> Task<> {
    CO_TRY(const LiveContainer live, co_await runtime_->create(request(plan("exec sleep 1000"))));
    CO_TRY_OK(co_await runtime_->start(live.id));
    ExecRequest r{
        live.id, folder_ + "/b",
        exec_process(oci_spec(plan("")), {"/bin/sh", "-c", "echo up; exec sleep 1000"}, false),
        false, false};
    CO_TRY(auto session, co_await runtime_->exec(std::move(r)));
    pollfd up{session->stdout_fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&up, 1, 20'000), 1);
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/b")) {
      const std::string name = entry.path().filename();
      if (!name.starts_with("exec-") || !name.ends_with(".pid")) continue;
      EXPECT_TRUE(io::write_file_atomic(entry.path(), std::to_string(bystander), 0600));
    }
    session->kill();
    co_await timer_.sleep_for(100ms);
    EXPECT_EQ(::waitpid(bystander, nullptr, WNOHANG), 0) << "the bystander was ended";
    session.reset();
    CO_TRY_OK(co_await runtime_->signal(live.id, SIGKILL));
    co_return co_await runtime_->remove(live.id);
  });
  EXPECT_EQ(error, "");
  ::kill(bystander, SIGKILL);
  ::waitpid(bystander, nullptr, 0);
}

TEST_F(CrunRuntimeTest, ExecGivesATerminalThatCanBeResized) {
  const std::string error = with_runtime([&]() -> Task<> {
    CO_TRY(const LiveContainer live, co_await runtime_->create(request(plan("exec sleep 1000"))));
    CO_TRY_OK(co_await runtime_->start(live.id));
    ExecRequest r{
        live.id, folder_ + "/b",
        exec_process(oci_spec(plan("")), {"/bin/sh", "-c", "read x; stty size; echo got $x"}, true),
        true, true};
    CO_TRY(auto session, co_await runtime_->exec(std::move(r)));
    session->resize(101, 37);
    EXPECT_GT(::write(session->stdin_fd(), "hi\n", 3), 0);
    const int code = co_await session->wait();
    EXPECT_EQ(code, 0);
    const std::string out = read_all(session->stdout_fd());
    EXPECT_THAT(out, HasSubstr("37 101"));
    EXPECT_THAT(out, HasSubstr("got hi"));
    CO_TRY_OK(co_await runtime_->signal(live.id, SIGKILL));
    co_return co_await runtime_->remove(live.id);
  });
  EXPECT_EQ(error, "");
}

// Its terminal waits to be taken while crun is gone already.
TEST_F(CrunRuntimeTest, ACommandThatEndsAtOnceHasATerminalToo) {
  const std::string error = with_runtime([&]() -> Task<> {
    CO_TRY(const LiveContainer live, co_await runtime_->create(request(plan("exec sleep 1000"))));
    CO_TRY_OK(co_await runtime_->start(live.id));
    for (int round = 0; round < 20; ++round) {
      ExecRequest r{live.id, folder_ + "/b",
                    exec_process(oci_spec(plan("")), {"/bin/sh", "-c", "echo done"}, true), true,
                    true};
      CO_TRY(auto session, co_await runtime_->exec(std::move(r)));
      const int code = co_await session->wait();
      EXPECT_EQ(code, 0);
      EXPECT_THAT(read_all(session->stdout_fd()), HasSubstr("done"));
    }
    CO_TRY_OK(co_await runtime_->signal(live.id, SIGKILL));
    co_return co_await runtime_->remove(live.id);
  });
  EXPECT_EQ(error, "");
}

TEST_F(CrunRuntimeTest, CgroupsCountAndGo) {
  const std::string error = with_runtime([&]() -> Task<> {
    CO_TRY(const LiveContainer live, co_await runtime_->create(request(plan("exec sleep 1000"))));
    CO_TRY_OK(co_await runtime_->start(live.id));
    const std::string path = cgroups_->path("uid", "c_0");
    auto usage = cgroups_->usage(path);
    EXPECT_TRUE(usage);
    if (usage) EXPECT_GT(usage->processes, 0u);
    EXPECT_FALSE(cgroups_->processes(path).empty());
    EXPECT_FALSE(cgroups_->remove_pod("uid")) << "something runs there";
    CO_TRY_OK(co_await runtime_->signal(live.id, SIGKILL));
    CO_TRY_OK(co_await runtime_->remove(live.id));
    EXPECT_TRUE(cgroups_->remove_pod("uid"));
    EXPECT_FALSE(cgroups_->usage(path));
    co_return Unit{};
  });
  EXPECT_EQ(error, "");
}

TEST_F(CrunRuntimeTest, ComesBackWhenTheKeeperDoes) {
  bool reconnected = false;
  runtime_->on_reconnect([&] { reconnected = true, news_.notify(); });
  const std::string error = with_runtime([&]() -> Task<> {
    stop_keeper(SIGTERM);
    auto gone = co_await runtime_->list();
    EXPECT_FALSE(gone);
    start_keeper();
    for (int i = 0; i < 100 && !reconnected; ++i) co_await news_.wait_for(timer_, 100ms);
    EXPECT_TRUE(reconnected);
    CO_TRY(const auto again, co_await runtime_->list());
    EXPECT_TRUE(again.empty());
    co_return Unit{};
  });
  EXPECT_EQ(error, "");
}

}  // namespace
}  // namespace atl::node

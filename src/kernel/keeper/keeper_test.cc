#include "kernel/keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <set>
#include <vector>

#include "base/core/rng.h"
#include "kernel/keeper/keeper_fixture.h"

namespace atl::keeper {

namespace {

// The program that an upgrade execve's is this test binary: `keeper-test FOLDER --resume FD`.
__attribute__((constructor)) void resume_keeper(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[0]) != "keeper-test") return;
  const SystemClock clock;
  const std::string folder = argv[1];
  auto keeper =
      Keeper::open({folder + "/keeper.sock", folder + "/journal", folder, {"keeper-test", folder}},
                   clock, std::atoi(argv[3]));
  ::_exit(keeper && (*keeper)->run() ? 0 : 1);
}

constexpr Duration kLimit = std::chrono::seconds(20);

using KeeperTest = KeeperFixture;

TEST_F(KeeperTest, RunsAContainerAndTellsItsOutputAndExit) {
  KeeperClient client = connect(true);
  auto made = client.create(bundle("one", "echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->info.state, State::kCreated);
  EXPECT_GT(made->info.pid, 1);
  ASSERT_TRUE(client.start("one"));
  auto exit = client.next_exit(kLimit);
  ASSERT_TRUE(exit) << exit.error().message();
  EXPECT_EQ(text(exit->id), "one");
  EXPECT_EQ(exit->exit.code, 7);
  EXPECT_EQ(exit->exit.signal, 0);
  EXPECT_GE(exit->exit.finished_ns, exit->started_ns);
  EXPECT_EQ(read_all(made->stdout_pipe.get()), "out\n");
  EXPECT_EQ(read_all(made->stderr_pipe.get()), "err\n");
  EXPECT_TRUE(client.remove("one"));
  EXPECT_TRUE(client.list()->empty());
}

TEST_F(KeeperTest, KillsBySignal) {
  KeeperClient client = connect(true);
  ASSERT_TRUE(client.create(bundle("victim", "exec sleep 1000")));
  ASSERT_TRUE(client.start("victim"));
  ASSERT_TRUE(client.signal("victim", SIGKILL));
  auto exit = client.next_exit(kLimit);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exit.signal, SIGKILL);
  EXPECT_TRUE(client.signal("victim", SIGTERM)) << "a signal to what is gone is no error";
}

TEST_F(KeeperTest, SaysWhyAContainerCannotStart) {
  KeeperClient client = connect();
  CreateArguments bad = bundle("bad", "true");
  auto config = io::read_file(bad.bundle + "/config.json");
  ASSERT_TRUE(config);
  config->replace(config->find("/bin/sh"), 7, "/nothere");
  ASSERT_TRUE(io::write_file_atomic(bad.bundle + "/config.json", *config, 0600));
  auto made = client.create(bad);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("/nothere"), std::string::npos) << made.error().message();
  EXPECT_TRUE(client.list()->empty());

  CreateArguments no_layer = bundle("nolayer", "true");
  no_layer.overlay_lowers = {folder_ + "/missing"};
  made = client.create(no_layer);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("missing"), std::string::npos) << made.error().message();
}

TEST_F(KeeperTest, GivesATerminalAndStdin) {
  KeeperClient client = connect(true);
  auto tty = client.create(bundle("tty", "read x; echo got $x", kTerminal));
  ASSERT_TRUE(tty) << tty.error().message();
  ASSERT_TRUE(tty->pty);
  EXPECT_FALSE(tty->stdout_pipe);
  ASSERT_TRUE(client.start("tty"));
  ASSERT_EQ(::write(tty->pty.get(), "hello\n", 6), 6);
  ASSERT_TRUE(client.next_exit(kLimit));
  EXPECT_NE(read_all(tty->pty.get()).find("got hello"), std::string::npos);

  auto piped = client.create(bundle("piped", "cat", kStdin));
  ASSERT_TRUE(piped);
  ASSERT_TRUE(client.start("piped"));
  ASSERT_EQ(::write(piped->stdin_pipe.get(), "abc", 3), 3);
  piped->stdin_pipe.reset();
  ASSERT_TRUE(client.close_stdin("piped"));
  ASSERT_TRUE(client.next_exit(kLimit)) << "cat ends with its input";
  EXPECT_EQ(read_all(piped->stdout_pipe.get()), "abc");
}

TEST_F(KeeperTest, AClientThatIsBusyForAWhileMissesNothing) {
  KeeperClient client = connect(true);
  constexpr int kMany = 2'000;
  Request request;
  request.header.type = Type::kSignal;
  put(request.id, "none");
  for (int i = 0; i < kMany; ++i) {
    request.header.request = uint64_t(i) + 1'000;
    ASSERT_TRUE(send_struct(client.fd(), request)) << i;
  }
  for (int i = 0; i < kMany; ++i) {
    pollfd wait{client.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1) << i;
    auto packet = receive(client.fd());
    ASSERT_TRUE(packet && *packet) << "dropped after " << i;
    EXPECT_EQ((*packet)->header().request, uint64_t(i) + 1'000);
  }
}

TEST_F(KeeperTest, HoldsDescriptorsForTheNextAgent) {
  const int netns = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  struct stat before{};
  ::fstat(netns, &before);
  {
    KeeperClient first = connect();
    ASSERT_TRUE(first.hold("pod-a", netns));
  }
  ::close(netns);
  KeeperClient second = connect();
  auto held = second.list_held();
  ASSERT_TRUE(held);
  ASSERT_EQ(held->size(), 1u);
  struct stat after{};
  ::fstat((*held)[0].fd.get(), &after);
  EXPECT_EQ(before.st_ino, after.st_ino);
  ASSERT_TRUE(second.drop("pod-a"));
  EXPECT_TRUE(second.list_held()->empty());
}

TEST_F(KeeperTest, JoinsTheHeldNetworkNamespace) {
  KeeperClient client = connect(true);
  const int other = ::fork();
  if (other == 0) {
    ::unshare(CLONE_NEWNET);
    const int fd = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    auto mine = KeeperClient::connect(socket());
    ::_exit(mine && mine->hold("net", fd) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(other, &status, 0);
  ASSERT_EQ(status, 0);
  CreateArguments a = bundle("netted", "cat /proc/net/dev");
  auto config = io::read_file(a.bundle + "/config.json");
  config->replace(config->find(R"({"type":"uts"})"), 14,
                  R"({"type":"uts"},{"type":"network","path":")" + a.bundle + R"(/netns"})");
  ASSERT_TRUE(io::write_file_atomic(a.bundle + "/config.json", *config, 0600));
  a.netns_key = "net";
  auto made = client.create(a);
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(client.start("netted"));
  ASSERT_TRUE(client.next_exit(kLimit));
  const std::string devices = read_all(made->stdout_pipe.get());
  EXPECT_NE(devices.find("lo:"), std::string::npos);
  EXPECT_EQ(devices.find("eth"), std::string::npos) << "not the host's namespace";
}

TEST_F(KeeperTest, KeepsContainersAndExitsOverItsOwnDeath) {
  {
    KeeperClient client = connect();
    ASSERT_TRUE(client.create(bundle("done", "exit 3")));
    ASSERT_TRUE(client.create(
        bundle("alive", "echo one; while [ ! -e /go ]; do sleep 0.05; done; echo two; exit 5")));
    ASSERT_TRUE(client.start("done"));
    ASSERT_TRUE(client.start("alive"));
    for (int i = 0; i < 1'000; ++i) {
      auto all = client.list();
      ASSERT_TRUE(all);
      if ((*all)[1].info.state == State::kExited) break;
      ::usleep(10'000);
    }
  }
  // Somebody has to reap what the keeper leaves behind: here this process, elsewhere init.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  KeeperClient holder = connect();
  auto fds = holder.list();  // as the agent does: its copies keep the pipes open
  stop_keeper(SIGKILL);
  start_keeper();
  KeeperClient client = connect(true);
  auto all = client.list();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].id(), "alive");
  EXPECT_EQ((*all)[0].info.state, State::kRunning);
  EXPECT_TRUE((*all)[0].stdout_pipe) << "its log pipe was opened again";
  EXPECT_EQ((*all)[1].info.exit.code, 3);
  shell("touch /proc/" + std::to_string((*all)[0].info.pid) + "/root/go");
  ::waitpid((*all)[0].info.pid, nullptr, 0);
  auto exit = client.next_exit(kLimit);
  ASSERT_TRUE(exit);
  EXPECT_TRUE(exit->exit.code == 5 || exit->exit.code == kUnknownExit) << exit->exit.code;
  EXPECT_NE(read_all((*all)[0].stdout_pipe.get()).find("two"), std::string::npos);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(KeeperTest, UpgradesInPlaceWithItsChildren) {
  KeeperClient old = connect();
  const int pid = *old.hello(false);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_TRUE(old.hold("kept", null));
  ::close(null);
  ASSERT_TRUE(
      old.create(bundle("over", "while [ ! -e /go ]; do sleep 0.05; done; echo over; exit 9")));
  ASSERT_TRUE(old.start("over"));
  auto refused = old.upgrade("/nothere");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kNotFound);
  auto done = old.upgrade("/proc/self/exe");
  ASSERT_TRUE(done) << done.error().message();
  KeeperClient client = connect(true);
  EXPECT_EQ(*client.hello(true), pid) << "the same process";
  EXPECT_EQ(client.list_held()->size(), 1u);
  auto all = client.list();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1u);
  ASSERT_TRUE((*all)[0].stdout_pipe);
  shell("touch /proc/" + std::to_string((*all)[0].info.pid) + "/root/go");
  auto exit = client.next_exit(kLimit);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->exit.code, 9) << "still the parent";
  EXPECT_EQ(read_all((*all)[0].stdout_pipe.get()), "over\n");
}

// Journals on a file system of 1 MiB, which a file fills.
class FullDiskTest : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    if (IsSkipped()) return;
    stop_keeper(SIGTERM);
    disk_ = folder_ + "-disk";
    ASSERT_TRUE(io::make_folders(disk_, 0755));
    ASSERT_EQ(::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=1m"), 0);
    journal_ = disk_ + "/journal";
    start_keeper();
  }
  void TearDown() override {
    if (!disk_.empty()) ::unlink((disk_ + "/filler").c_str());
    KeeperFixture::TearDown();
    if (disk_.empty()) return;
    EXPECT_EQ(::umount(disk_.c_str()), 0);
    ::rmdir(disk_.c_str());
  }
  void fill() { shell("head -c 2M /dev/zero > " + disk_ + "/filler 2>/dev/null"); }
  // What the keeper took in advance is given back, as if others had been quicker.
  void take_room_back() {
    ASSERT_EQ(::truncate(journal_.c_str(), off_t(std::filesystem::file_size(journal_))), 0);
  }
  std::string disk_;
};

TEST_F(FullDiskTest, ContainersThatRunEndAsAlwaysAndNoneIsMade) {
  KeeperClient client = connect(true);
  ASSERT_TRUE(client.create(bundle("one", "exit 7")));
  fill();
  ASSERT_TRUE(client.start("one"));
  auto exit = client.next_exit(kLimit);
  ASSERT_TRUE(exit) << exit.error().message();
  EXPECT_EQ(exit->exit.code, 7);
  EXPECT_TRUE(client.remove("one"));
  Result<ContainerView> made = Error(Code::kInternal, "not tried");
  for (int i = 0; i < 100; ++i) {
    made = client.create(bundle("more" + std::to_string(i), "true"));
    if (!made) break;
  }
  ASSERT_FALSE(made) << "there was room for all of them";
  EXPECT_EQ(made.error().code(), Code::kExhausted) << made.error().message();
}

TEST_F(FullDiskTest, AnExitThatCannotBeRecordedHoldsUpThatContainerAlone) {
  KeeperClient client = connect(true);
  const std::vector<std::string> doomed = {"a", "b", "c", "d", "e"};
  for (const std::string& id : doomed) {
    ASSERT_TRUE(client.create(bundle(id, "exec sleep 1000")));
    ASSERT_TRUE(client.start(id));
  }
  ASSERT_TRUE(client.create(bundle("other", "exec sleep 1000")));
  take_room_back();
  fill();
  for (const std::string& id : doomed) ASSERT_TRUE(client.signal(id, SIGKILL));
  // A page may have been begun: the first exits may go into the rest of it.
  std::set<std::string> told;
  for (;;) {
    auto exit = client.next_exit(std::chrono::seconds(1));
    if (!exit) break;
    told.emplace(text(exit->id));
  }
  ASSERT_LT(told.size() + 1, doomed.size()) << "nothing is held up: the test shows nothing";
  ASSERT_FALSE(told.contains("d") && told.contains("e"));
  EXPECT_TRUE(client.remove("other")) << "its runtime command ended, and was heard";
  const std::string removed = told.contains("d") ? "e" : "d";
  EXPECT_TRUE(client.remove(removed)) << "it is wanted no more: its exit need not be recorded";
  ::unlink((disk_ + "/filler").c_str());
  while (told.size() + 1 < doomed.size()) {
    auto exit = client.next_exit(kLimit);
    ASSERT_TRUE(exit) << "after " << told.size() << " exits";
    EXPECT_EQ(exit->exit.signal, SIGKILL) << text(exit->id);
    EXPECT_TRUE(told.emplace(text(exit->id)).second) << "told twice";
  }
  EXPECT_FALSE(told.contains(removed));
  stop_keeper(SIGTERM);
  start_keeper();
  KeeperClient again = connect();
  EXPECT_EQ(again.list()->size(), doomed.size() - 1) << "the removals are on record by now";
}

// The promise of the keeper: whoever asks for containers may die at any moment.
TEST_F(KeeperTest, LosesNoExitWhenItsClientIsKilledAtRandomMoments) {
  SeededRng rng(7);
  constexpr int kRounds = 12;
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "storm" + std::to_string(round);
    const CreateArguments a = bundle(id, "exit " + std::to_string(10 + round));
    const int agent = ::fork();
    if (agent == 0) {
      auto client = KeeperClient::connect(socket());
      if (client && client->create(a) && client->start(id)) (void)client->next_exit(kLimit);
      ::pause();
    }
    ::usleep(useconds_t(rng.below(80'000)));
    ::kill(agent, SIGKILL);
    ::waitpid(agent, nullptr, 0);
  }
  // Whatever was started has to end with its own code; the rest was never created or waits for a
  // start.
  KeeperClient client = connect(true);
  for (int i = 0; i < 1'000; ++i) {
    auto all = client.list();
    ASSERT_TRUE(all);
    bool quiet = true;
    for (const ContainerView& c : *all) quiet = quiet && c.info.state != State::kRunning;
    if (quiet) break;
    ::usleep(10'000);
  }
  auto all = client.list();
  ASSERT_TRUE(all);
  int exits = 0;
  for (const ContainerView& c : *all) {
    if (c.info.state != State::kExited) continue;
    ++exits;
    EXPECT_EQ(c.info.exit.code, 10 + std::atoi(c.id().c_str() + 5));
    EXPECT_EQ(c.info.exit.signal, 0);
  }
  RecordProperty("exits", exits);
  EXPECT_GT(exits, 0) << "the storm hit before every start: the test shows nothing";
}

}  // namespace
}  // namespace atl::keeper

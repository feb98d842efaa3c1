// What is left after kill -9 and after a power failure.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

#include "store/crash_fixture.h"
#include "store/lossy_disk.h"
#include "store/rocks/rocks_store.h"

namespace atl::store {
namespace {

// The program that is killed: this test, run by the one below in a process of its own. Writes for
// ever, and tells each acknowledged write on standard output.
TEST(CrashChild, DISABLED_WritesUntilItIsKilled) {
  const char* folder = std::getenv("ATOLL_CRASH_FOLDER");
  const char* from = std::getenv("ATOLL_CRASH_NEXT");
  ASSERT_TRUE(folder && from) << "only of use to Crash.NothingAcknowledgedIsLostByKill";
  uint64_t next = std::strtoull(from, nullptr, 10);
  asio::io_context loop;
  auto store = RocksStore::open(loop.get_executor(), {.folder = folder, .buffer_bytes = 256 << 10});
  ASSERT_TRUE(store.has_value()) << store.error().message();
  SystemRng rng;
  Crash::write_some(
      loop, **store, rng, next, UINT64_MAX,
      [](const std::string& key, uint64_t number) {
        const std::string line = "ack " + key + " " + std::to_string(number) + "\n";
        if (::write(STDOUT_FILENO, line.data(), line.size()) != ssize_t(line.size())) _exit(4);
      },
      nullptr);
}

// What CrashChild says, line by line.
class Child {
 public:
  Child(const std::string& folder, uint64_t next) {
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    ::setenv("ATOLL_CRASH_FOLDER", folder.c_str(), 1);
    ::setenv("ATOLL_CRASH_NEXT", std::to_string(next).c_str(), 1);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::execl("/proc/self/exe", "crash", "--gtest_also_run_disabled_tests",
              "--gtest_filter=CrashChild.*", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    lines_ = ::fdopen(ends[0], "r");
  }
  ~Child() { std::fclose(lines_); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next acknowledged write; false at the end.
  bool next(std::string* key, uint64_t* number) {
    char line[256];
    while (std::fgets(line, sizeof line, lines_)) {
      char name[64];
      unsigned long value = 0;
      if (std::sscanf(line, "ack %63s %lu", name, &value) != 2) continue;
      *key = name;
      *number = value;
      return true;
    }
    return false;
  }
  // Whether it was the signal that ended it.
  bool kill() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    return ::waitpid(pid_, &status, 0) == pid_ && WIFSIGNALED(status);
  }

 private:
  pid_t pid_ = -1;
  FILE* lines_ = nullptr;
};

TEST_F(Crash, NothingAcknowledgedIsLostByKill) {
  SystemRng rng;
  Known known;
  uint64_t next = 1;
  for (int round = 0; round < rounds({20, 200, 2'000}); ++round) {
    Child child(db(), next);
    const auto take = [&] {
      std::string key;
      uint64_t number = 0;
      if (!child.next(&key, &number)) return false;
      known.acknowledged[key] = number;
      next = std::max(next, number + 1);
      return true;
    };
    for (uint64_t wanted = 1 + rng.below(400); wanted > 0 && take(); --wanted) {
    }
    ASSERT_TRUE(child.kill()) << "the child ended by itself";
    while (take()) {
    }
    next += 1'000;  // what the child tried and did not tell

    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(), {.folder = db()});
    ASSERT_TRUE(store.has_value()) << store.error().message();
    Known tolerant = known;
    for (const auto& [name, last] : known.acknowledged) tolerant.tried[name] = UINT64_MAX;
    ASSERT_TRUE(holds(loop, **store, tolerant)) << "round " << round;
    forget(loop, **store);
  }
}

// A machine that loses power at a random write or sync, again and again.
class Machine {
 public:
  Machine(std::string folder, uint64_t seed) : folder_(std::move(folder)), rng_(seed) {}

  // Whether everything acknowledged is there after one more failure. `lying`: of a disk that only
  // says that it syncs.
  testing::AssertionResult lose_power(bool lying) {
    const auto disk = std::make_shared<LossyDisk>();
    {
      asio::io_context loop;
      auto store = RocksStore::open(loop.get_executor(),
                                    {.folder = folder_, .buffer_bytes = 256 << 10, .disk = disk});
      if (!store) return testing::AssertionFailure() << store.error().message();
      if (lying) disk->lie();
      disk->fail_after(1 + rng_.below(400));
      Crash::write_some(
          loop, **store, rng_, next_, 600,
          [&](const std::string& key, uint64_t number) { known_.acknowledged[key] = number; },
          &known_);
      disk->fail_after(0);
    }
    disk->lose_power(rng_);
    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(), {.folder = folder_});
    if (!store) return testing::AssertionFailure() << store.error().message();
    auto result = Crash::holds(loop, **store, known_);
    Crash::forget(loop, **store);
    for (auto& [key, number] : known_.tried) number = UINT64_MAX;
    return result;
  }

 private:
  const std::string folder_;
  SeededRng rng_;
  Known known_;
  uint64_t next_ = 1;
};

using PowerFailure = Crash;

// Several machines at a time: RocksDB sleeps for a second where a flush fails.
TEST_F(PowerFailure, NothingAcknowledgedIsLostAndNothingIsTorn) {
  constexpr uint64_t kMachines = 16;
  const uint64_t first = seed(11);
  const int each = (rounds({16, 100, 1'000}) + int(kMachines) - 1) / int(kMachines);
  std::vector<std::future<void>> machines;
  for (uint64_t i = first; i < first + kMachines; ++i) {
    machines.push_back(std::async(std::launch::async, [this, each, i] {
      Machine machine(folder_ + "/" + std::to_string(i), i);
      for (int round = 0; round < each && !HasFailure(); ++round)
        EXPECT_TRUE(machine.lose_power(/*lying=*/false)) << "round " << round << " of seed " << i;
    }));
  }
  for (auto& machine : machines) machine.get();
}

TEST_F(PowerFailure, ADiskThatDoesNotSyncIsFoundOut) {
  Machine machine(db(), 12);
  bool found = false;
  for (int i = 0; i < 30 && !found; ++i) found = !machine.lose_power(/*lying=*/true);
  EXPECT_TRUE(found) << "the test above cannot fail";
}

}  // namespace
}  // namespace atl::store

// What is left after kill -9, after a power failure and after a flipped bit. ATOLL_CRASH_ROUNDS
// makes the rounds more (./test --full).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/async/task_group.h"
#include "base/core/check.h"
#include "base/core/rng.h"
#include "store/lossy_disk.h"
#include "store/rocks/rocks_store.h"

namespace atl::store {
namespace {

constexpr int kWriters = 8;

int rounds(int usual) {
  const char* wanted = std::getenv("ATOLL_CRASH_ROUNDS");
  return wanted ? std::atoi(wanted) : usual;
}

// A value that tells which write it is of, and whether it is whole.
std::string value_of(uint64_t number, size_t size) {
  std::string value = std::to_string(number) + ":";
  value.append(size, char('a' + number % 26));
  return value + ":" + std::to_string(number);
}
// The number of a whole value; 0 of anything else.
uint64_t number_of(std::string_view value) {
  uint64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  const size_t frame = 2 * std::to_string(number).size() + 2;
  return value.size() >= frame && value == value_of(number, value.size() - frame) ? number : 0;
}

// The last number that each key was acknowledged with, and the last that was tried.
struct Known {
  std::map<std::string, uint64_t> acknowledged, tried;
};

class Crash : public testing::Test {
 public:
  Crash() {
    char pattern[] = "/tmp/atoll-crash-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~Crash() override { std::filesystem::remove_all(folder_); }

  std::string db() const { return folder_ + "/db"; }

  // Writes from several coroutines at a time until something fails or `count` are done.
  static void write_some(asio::io_context& loop, Store& store, Rng& rng, uint64_t& next,
                         uint64_t count,
                         const std::function<void(const std::string&, uint64_t)>& acknowledged,
                         Known* known) {
    const auto done = run(loop, [&]() -> Task<> {
      TaskGroup writers(loop.get_executor());
      atl::Event over;
      uint64_t left = count;
      bool failed = false;
      for (int i = 0; i < kWriters; ++i) {
        writers.spawn("writer", [&, i]() -> Async<void> {
          while (left > 0 && !failed) {
            --left;
            const uint64_t number = next++;
            const std::string key = "/k" + std::to_string(i) + "-" + std::to_string(rng.below(40));
            if (known) known->tried[key] = number;
            const auto event = co_await store.write(
                {key, value_of(number, rng.below(rng.below(20) ? 4'000 : 90'000)), {}});
            if (event) {
              acknowledged(key, number);
            } else {
              failed = true;
            }
          }
          over.notify();
        });
      }
      while (writers.running() > 0) {
        const bool woken = co_await over.wait();
        if (!woken) break;
      }
      co_await writers.stop();
      co_return Unit{};
    });
    EXPECT_TRUE(done.has_value());
  }

  // Everything acknowledged is there, nothing is torn, and the past is a history without holes.
  static testing::AssertionResult holds(asio::io_context& loop, Store& store, const Known& known) {
    std::string wrong;
    const auto done = run(loop, [&]() -> Task<> {
      CO_TRY(const Range all, co_await store.range({}));
      std::map<std::string, uint64_t> found;
      for (const Stored& item : all.items) {
        found[item.key] = number_of(*item.value);
        if (found[item.key] == 0) wrong += item.key + " is torn; ";
      }
      for (const auto& [key, number] : known.acknowledged) {
        const uint64_t last = known.tried.contains(key) ? known.tried.at(key) : number;
        if (found[key] < number || found[key] > last) {
          wrong += key + " was acknowledged as " + std::to_string(number) + ", it is " +
                   std::to_string(found[key]) + "; ";
        }
      }
      CO_TRY(const auto events, co_await store.history("", {}, 1'000'000));
      for (size_t i = 0; i < events.size(); ++i) {
        if (events[i].now.modified.value != i + 1) wrong += "the history has a hole; ";
      }
      if (events.size() != store.revision().value) wrong += "the history is short; ";
      co_return Unit{};
    });
    if (!done) return testing::AssertionFailure() << done.error().message();
    return wrong.empty() ? testing::AssertionSuccess() : testing::AssertionFailure() << wrong;
  }

  std::string folder_;
};

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
  for (int round = 0; round < rounds(10); ++round) {
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
  }
}

// One round of a machine that loses power at a random write or sync.
class PowerFailure : public Crash {
 protected:
  // Whether everything acknowledged is there afterwards.
  testing::AssertionResult round(Rng& rng, bool lying) {
    const auto disk = std::make_shared<LossyDisk>();
    {
      asio::io_context loop;
      auto store = RocksStore::open(loop.get_executor(),
                                    {.folder = db(), .buffer_bytes = 256 << 10, .disk = disk});
      if (!store) return testing::AssertionFailure() << store.error().message();
      if (lying) disk->lie();
      disk->fail_after(1 + rng.below(400));
      write_some(
          loop, **store, rng, next_, 600,
          [&](const std::string& key, uint64_t number) { known_.acknowledged[key] = number; },
          &known_);
      disk->fail_after(0);
    }
    disk->lose_power(rng);
    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(), {.folder = db()});
    if (!store) return testing::AssertionFailure() << store.error().message();
    auto result = holds(loop, **store, known_);
    for (auto& [key, number] : known_.tried) number = UINT64_MAX;
    return result;
  }

  Known known_;
  uint64_t next_ = 1;
};

TEST_F(PowerFailure, NothingAcknowledgedIsLostAndNothingIsTorn) {
  SeededRng rng(11);
  for (int i = 0; i < rounds(8); ++i) ASSERT_TRUE(round(rng, /*lying=*/false)) << "round " << i;
}

TEST_F(PowerFailure, ADiskThatDoesNotSyncIsFoundOut) {
  SeededRng rng(12);
  bool found = false;
  for (int i = 0; i < 30 && !found; ++i) found = !round(rng, /*lying=*/true);
  EXPECT_TRUE(found) << "the test above cannot fail";
}

// One bit of one file flips while the store is closed, as a kill left it: either the damage is
// told, or it was in bytes that mean nothing and all values are right.
class FlippedBit : public Crash {
 protected:
  // A store after many writes; `buffer`: from when on they go from the log to tables.
  void make(size_t buffer) {
    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(), {.folder = db(), .buffer_bytes = buffer});
    ASSERT_TRUE(store.has_value());
    uint64_t next = 1;
    SeededRng rng(5);
    write_some(loop, **store, rng, next, 300, [](const std::string&, uint64_t) {}, nullptr);
    store->reset();  // the log stays as it is
    expected_ = contents(db());
    ASSERT_TRUE(expected_.has_value()) << expected_.error().message();
    ASSERT_GT(expected_->size(), 400u) << "keys and revisions";
  }

  static void flip(const std::filesystem::path& file, uint64_t at, Rng& rng) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(std::streamoff(at));
    const char flipped = char(bytes.get() ^ (1 << rng.below(8)));
    bytes.seekp(std::streamoff(at));
    bytes.put(flipped);
  }

  // Everything the store of a copy of the folder tells; an error where it tells of damage.
  Result<std::map<std::string, std::string>> contents(const std::string& from) {
    const std::string copy = folder_ + "/copy";
    std::filesystem::remove_all(copy);
    std::filesystem::copy(from, copy);
    asio::io_context loop;
    auto store = RocksStore::open(loop.get_executor(), {.folder = copy});
    if (!store) return std::move(store).error();
    std::map<std::string, std::string> out;
    const auto read = run(loop, [&]() -> Task<> {
      CO_TRY(const Range all, co_await (*store)->range({}));
      for (const Stored& item : all.items) out[item.key] = *item.value;
      CO_TRY(const auto events, co_await (*store)->history("", {}, 1'000'000));
      for (const Event& event : events)
        out["revision " + std::to_string(event.now.modified.value)] = *event.now.value;
      co_return Unit{};
    });
    if (!read) return read.error();
    return out;
  }

  Result<std::map<std::string, std::string>> expected_ = Error(Code::kInternal, "not read yet");
};

TEST_F(FlippedBit, NothingWrongIsServedAndTablesMissNoObject) {
  make(64 << 10);
  SeededRng rng(6);
  int told = 0;
  for (int i = 0; i < rounds(60); ++i) {
    const std::string hurt = folder_ + "/hurt";
    std::filesystem::remove_all(hurt);
    std::filesystem::copy(db(), hurt);
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(hurt)) {
      const std::string name = entry.path().filename();
      const bool data =
          name.ends_with(".sst") || name.ends_with(".log") || name.starts_with("MANIFEST");
      if (data && entry.file_size() > 0) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    const auto& file = files[rng.below(files.size())];
    const uint64_t at = rng.below(std::filesystem::file_size(file));
    flip(file, at, rng);
    const auto found = contents(hurt);
    if (!found) {
      ++told;
      continue;
    }
    // The end of the log reads like a write that was never finished, and so does the end of the
    // manifest, which leads to an older state: docs/adr/0009. Nothing wrong is ever read, and of
    // a table no object is missing; its history may end early without a word, which is open.
    const bool log = file.extension() == ".log";
    if (file.filename().string().starts_with("MANIFEST")) continue;
    for (const auto& [key, value] : *expected_) {
      const bool may_miss = log || key.starts_with("revision ");
      if (may_miss && !found->contains(key)) continue;
      ASSERT_TRUE(found->contains(key)) << file << " at " << at << ": " << key;
      const bool last = log && found->at(key) != value;
      ASSERT_TRUE(last || found->at(key) == value) << file << " at " << at << ": " << key;
    }
    // Of each write of the last commit a key and a revision.
    if (log)
      ASSERT_GE(found->size() + size_t(2) * kWriters, expected_->size()) << file << " " << at;
  }
  EXPECT_GT(told, 0);
}

// RocksDB takes damage inside a log for its end, and drops the acknowledged writes behind it.
TEST_F(FlippedBit, InsideTheLogIsTold) {
  make(16 << 20);
  SeededRng rng(7);
  for (int i = 0; i < rounds(20); ++i) {
    const std::string hurt = folder_ + "/hurt";
    std::filesystem::remove_all(hurt);
    std::filesystem::copy(db(), hurt);
    std::filesystem::path log;
    for (const auto& entry : std::filesystem::directory_iterator(hurt)) {
      if (entry.path().extension() == ".log") log = entry.path();
    }
    ASSERT_GT(std::filesystem::file_size(log), 1'000'000u);
    const uint64_t at = rng.below(500'000);
    flip(log, at, rng);
    const auto found = contents(hurt);
    ASSERT_TRUE(!found || *found == *expected_) << "a bit at " << at << " took writes away";
  }
}

}  // namespace
}  // namespace atl::store

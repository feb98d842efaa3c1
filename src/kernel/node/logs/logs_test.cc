#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "api/cache/fake_world.h"
#include "base/async/task_group.h"
#include "base/io/files.h"
#include "kernel/node/logs/log_reader.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;

class LogsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/atoll-log-XXXXXX";
    folder_ = ::mkdtemp(name);
    file_ = folder_ + "/0.log";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string read(LogQuery query, ContainerLogPtr log = nullptr) {
    std::string out;
    const std::string error = world_.run([&]() -> Task<> {
      co_return co_await read_log(file_, log, query, world_.timer,
                                  [&out](std::string piece) -> Task<> {
                                    out += piece;
                                    co_return Unit{};
                                  });
    });
    return error.empty() ? out : "error: " + error;
  }
  api::FakeWorld world_;
  std::string folder_, file_;
};

TEST_F(LogsTest, WritesTheCriFormat) {
  ContainerLog log(file_, world_.timer);
  log.write(LogStream::kStdout, "one\ntwo\n");
  log.write(LogStream::kStderr, "no end");
  log.write(LogStream::kStderr, " yet\n");
  const std::string time = rfc3339_nano(world_.timer.now());
  EXPECT_EQ(*io::read_file(file_), time + " stdout F one\n" + time + " stdout F two\n" + time +
                                       " stderr P no end\n" + time + " stderr F  yet\n");
  EXPECT_EQ(read({}), "one\ntwo\nno end yet\n") << "read back exactly as written";
}

class StageTest : public LogsTest {
 protected:
  void SetUp() override {
    LogsTest::SetUp();
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    out_.reset(fds[0]), in_.reset(fds[1]);
  }
  void say(std::string_view text) {
    ASSERT_EQ(::write(in_.get(), text.data(), text.size()), ssize_t(text.size()));
  }
  LogStage::Place place() const {
    struct stat about{};
    EXPECT_EQ(::stat(file_.c_str(), &about), 0);
    return {about.st_ino, uint64_t(about.st_size)};
  }
  io::UniqueFd out_, in_;
};

TEST_F(StageTest, TakesFromThePipeToItsEnd) {
  ContainerLog log(file_, world_.timer);
  EXPECT_EQ(log.take(LogStream::kStdout, out_.get()), ContainerLog::Source::kEmpty);
  say("one\ntwo");
  EXPECT_EQ(log.take(LogStream::kStdout, out_.get()), ContainerLog::Source::kMore);
  EXPECT_EQ(log.take(LogStream::kStdout, out_.get()), ContainerLog::Source::kEmpty);
  in_.reset();
  EXPECT_EQ(log.take(LogStream::kStdout, out_.get()), ContainerLog::Source::kEnded);
  EXPECT_EQ(read({}), "one\ntwo");
  log.finish();
  EXPECT_FALSE(std::filesystem::exists(file_ + ".stage"));
}

TEST_F(StageTest, AnAgentKilledBeforeTheLogLosesNothing) {
  ContainerLog(file_, world_.timer).write(LogStream::kStdout, "before\n");
  std::string bytes;
  say("taken\n");
  EXPECT_EQ(LogStage(file_ + ".stage").take(out_.get(), LogStream::kStderr, place(), bytes),
            LogStage::Pipe::kBatch);
  for (int agent = 0; agent < 2; ++agent) {
    const ContainerLog log(file_, world_.timer);
    EXPECT_EQ(read({}), "before\ntaken\n");
  }
  EXPECT_THAT(*io::read_file(file_), testing::HasSubstr(" stderr F taken\n"));
}

TEST_F(StageTest, AnAgentKilledAfterTheLogDoublesNothing) {
  struct Case {
    const char* what;
    LogLimits limits;
  };
  for (const Case& c : {Case{"the log has grown", {}}, Case{"the log was rotated", {16, 3}}}) {
    SCOPED_TRACE(c.what);
    std::filesystem::remove(file_);
    std::string bytes;
    say("taken\n");
    {
      ContainerLog log(file_, world_.timer, c.limits);
      EXPECT_EQ(LogStage(file_ + ".stage").take(out_.get(), LogStream::kStdout, place(), bytes),
                LogStage::Pipe::kBatch);
      log.write(LogStream::kStdout, bytes);
    }
    const auto size = std::filesystem::file_size(file_);
    const ContainerLog next(file_, world_.timer, c.limits);
    EXPECT_EQ(std::filesystem::file_size(file_), size);
    EXPECT_EQ(std::filesystem::file_size(file_ + ".stage"), 0u);
  }
}

TEST_F(StageTest, AStageThatIsNotOneIsEmptied) {
  for (const std::string& junk :
       {std::string("x"), std::string(24, 'x'), std::string(30, 'x'), std::string(1 << 20, 'x')}) {
    ASSERT_TRUE(io::write_file_atomic(file_ + ".stage", junk, 0600));
    ContainerLog log(file_, world_.timer);
    say("y\n");
    EXPECT_EQ(log.take(LogStream::kStdout, out_.get()), ContainerLog::Source::kMore);
    log.finish();
  }
  EXPECT_EQ(read({}), "y\ny\ny\ny\n");
}

TEST_F(LogsTest, AnswersEveryQuestion) {
  {
    ContainerLog log(file_, world_.timer);
    for (int i = 1; i <= 5; ++i) {
      log.write(LogStream::kStdout, "line " + std::to_string(i) + "\n");
      world_.timer.advance(10s);
    }
  }
  const WallTime start = world_.timer.now() - 50s;
  struct Row {
    const char* sentence;
    LogQuery query;
    std::string want;
  };
  const Row rows[] = {
      {"the last two lines", {.tail_lines = 2}, "line 4\nline 5\n"},
      {"more lines than there are", {.tail_lines = 50}, "line 1\nline 2\nline 3\nline 4\nline 5\n"},
      {"no lines", {.tail_lines = 0}, ""},
      {"since a time", {.since = start + 25s}, "line 4\nline 5\n"},
      {"with times",
       {.timestamps = true, .tail_lines = 1},
       rfc3339_nano(start + 40s) + " line 5\n"},
      {"only so many bytes", {.limit_bytes = 9}, "line 1\nli"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(read(row.query), row.want);
  }
}

TEST_F(LogsTest, FollowsOverARotationToTheEnd) {
  auto log = std::make_shared<ContainerLog>(file_, world_.timer, LogLimits{200, 3});
  std::string out;
  EXPECT_EQ(world_.run([&]() -> Task<> {
    TaskGroup tasks(world_.loop.get_executor());
    tasks.spawn("writer", [&]() -> Async<void> {
      for (int i = 0; i < 20; ++i) {
        log->write(LogStream::kStdout, "line " + std::to_string(i) + "\n");
        co_await world_.timer.sleep_for(1s);
      }
      log->finish();
    });
    auto done = co_await read_log(file_, log, {.follow = true}, world_.timer,
                                  [&out](std::string piece) -> Task<> {
                                    out += piece;
                                    co_return Unit{};
                                  });
    co_await tasks.stop();
    co_return done;
  }),
            "");
  std::string want;
  for (int i = 0; i < 20; ++i) want += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(out, want);
  EXPECT_TRUE(std::filesystem::exists(file_ + ".1"));
  EXPECT_FALSE(std::filesystem::exists(file_ + ".3")) << "three files in all";
}

TEST_F(LogsTest, AMissingFileIsNotFound) {
  EXPECT_THAT(read({}), testing::StartsWith("error: open log"));
}

TEST(ParseLogLine, RefusesWhatIsNotOurs) {
  EXPECT_TRUE(parse_log_line("2026-11-25T12:00:00Z stdout F text"));
  EXPECT_TRUE(parse_log_line("2026-11-25T12:00:00Z stderr P "));
  for (const char* bad : {"", "x", "t stdout", "t other F x", "t stdout X y", "t stdout Fx"})
    EXPECT_FALSE(parse_log_line(bad)) << bad;
}

TEST_F(LogsTest, TailIsFoundOverBlocks) {
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += "2026-11-25T12:00:00Z stdout F line " + std::to_string(i) + "\n";
  ASSERT_TRUE(io::write_file_atomic(file_, text, 0600));
  const int fd = ::open(file_.c_str(), O_RDONLY);
  for (const int64_t lines : {1, 100, 5'000, 19'999, 20'000, 30'000}) {
    const auto at = tail_offset(fd, lines);
    ASSERT_TRUE(at);
    EXPECT_EQ(std::count(text.begin() + *at, text.end(), '\n'), std::min<int64_t>(lines, 20'000))
        << lines;
  }
  ::close(fd);
}

}  // namespace
}  // namespace atl::node

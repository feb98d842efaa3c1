#include "kernel/node/pod/container_exit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/io/files.h"

namespace atl::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Role = ContainerSpec::Role;

const WallTime kStarted{seconds(1'000'000)};

struct Case {
  const char* name;
  RestartPolicy policy;
  Role role;
  int code;
  Duration ran;
  int crashes_before;
  bool deleting;
  AfterExit want;
  Duration want_pause;
};

const Case kCases[] = {
    {"the first end starts again at once", RestartPolicy::kAlways, Role::kMain, 1, seconds(1), 0,
     false, AfterExit::kSettled, seconds(0)},
    {"the second waits", RestartPolicy::kAlways, Role::kMain, 0, seconds(1), 1, false,
     AfterExit::kBacksOff, seconds(10)},
    {"the third waits longer", RestartPolicy::kAlways, Role::kMain, 0, seconds(1), 2, false,
     AfterExit::kBacksOff, seconds(20)},
    {"after a long run the count begins anew", RestartPolicy::kAlways, Role::kMain, 1, minutes(10),
     7, false, AfterExit::kSettled, seconds(0)},
    {"OnFailure: a failure starts again", RestartPolicy::kOnFailure, Role::kMain, 3, seconds(1), 1,
     false, AfterExit::kBacksOff, seconds(10)},
    {"OnFailure: success stays", RestartPolicy::kOnFailure, Role::kMain, 0, seconds(1), 1, false,
     AfterExit::kSettled, seconds(10)},
    {"Never: a failure stays", RestartPolicy::kNever, Role::kMain, 1, seconds(1), 1, false,
     AfterExit::kSettled, seconds(10)},
    {"Never: a sidecar starts again", RestartPolicy::kNever, Role::kSidecar, 0, seconds(1), 1,
     false, AfterExit::kBacksOff, seconds(10)},
    {"an init container that did its part is done", RestartPolicy::kAlways, Role::kInit, 0,
     seconds(1), 1, false, AfterExit::kSettled, seconds(10)},
    {"an init container that failed starts again", RestartPolicy::kAlways, Role::kInit, 1,
     seconds(1), 1, false, AfterExit::kBacksOff, seconds(10)},
    {"a pod that goes starts nothing", RestartPolicy::kAlways, Role::kMain, 1, seconds(1), 1, true,
     AfterExit::kSettled, seconds(10)},
};

TEST(ContainerExit, SaysWhetherAndWhenItStartsAgain) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    PodSpec pod;
    pod.name = "p", pod.ns = "n", pod.uid = "u";
    pod.restart_policy = c.policy;
    if (c.deleting) pod.deleting = kStarted;
    ContainerSpec spec;
    spec.name = "web", spec.role = c.role;
    ContainerState state;
    state.phase = ContainerState::Phase::kRunning;
    state.started = kStarted;
    state.crashes = c.crashes_before;
    state.ready = true;
    const WallTime end = kStarted + c.ran;
    EXPECT_EQ(note_exit(state, pod, spec, {.code = c.code, .finished = end}, end), c.want);
    EXPECT_EQ(state.phase, ContainerState::Phase::kExited);
    EXPECT_FALSE(state.ready);
    EXPECT_EQ(state.exited->code, c.code);
    EXPECT_EQ(state.exited->reason, c.code == 0 ? "Completed" : "Error");
    EXPECT_EQ(state.retry_at - end, c.want_pause);
    EXPECT_EQ(state.waiting_reason, c.want == AfterExit::kBacksOff ? "CrashLoopBackOff" : "");
  }
}

TEST(ContainerExit, AFailedStartIsARunThatEndedAtOnce) {
  ContainerState state;
  note_start_failure(state, "no such file", kStarted);
  EXPECT_EQ(state.exited->code, 128);
  EXPECT_EQ(state.exited->reason, "StartError");
  EXPECT_EQ(state.waiting_reason, "RunContainerError");
  EXPECT_EQ(state.retry_at - kStarted, seconds(10));
  note_start_failure(state, "no such file", kStarted);
  EXPECT_EQ(state.waiting_reason, "CrashLoopBackOff");
  EXPECT_EQ(state.retry_at - kStarted, seconds(20));
}

class TerminationMessage : public testing::Test {
 protected:
  TerminationMessage() {
    char name[] = "/tmp/atoll-exit-XXXXXX";
    folder_ = ::mkdtemp(name);
    files_ = {folder_ + "/message", folder_ + "/0.log"};
    spec_.doc = json::Object{{"terminationMessagePolicy", "FallbackToLogsOnError"}};
  }
  ~TerminationMessage() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  ExitFiles files_;
  ContainerSpec spec_;
};

TEST_F(TerminationMessage, IsTheFilesBegin) {
  ASSERT_TRUE(io::write_file_atomic(files_.termination_log, std::string(5'000, 'x'), 0600));
  EXPECT_EQ(termination_message(spec_, files_, 1), std::string(4'096, 'x'));
}

TEST_F(TerminationMessage, OrTheLogsEndOfARunThatFailed) {
  std::string log;
  for (int i = 0; i < 200; ++i)
    log += "2026-01-02T03:04:05.000000000Z stdout F line " + std::to_string(i) + "\n";
  ASSERT_TRUE(io::write_file_atomic(files_.log, log, 0600));
  const std::string message = termination_message(spec_, files_, 1);
  EXPECT_TRUE(message.starts_with("line 120\n")) << message;
  EXPECT_TRUE(message.ends_with("line 199\n")) << message;
  EXPECT_EQ(termination_message(spec_, files_, 0), "") << "it did not fail";
  spec_.doc = json::Object{};
  EXPECT_EQ(termination_message(spec_, files_, 1), "") << "nobody asked for the log";
}

}  // namespace
}  // namespace atl::node

#include "kernel/node/pod/pod_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

PodSpecPtr pod(const std::string& spec) {
  auto document = json::parse(R"({"metadata":{"name":"p","uid":"u"},"spec":)" + spec + "}");
  EXPECT_TRUE(document) << document.error().message();
  return *read_pod(*std::move(document));
}

struct Is {
  std::string name;
  Phase phase = Phase::kNone;
  int code = 0;
  Duration retry_in = Duration::zero();
  bool startup_passed = true;
};

PodState state(const std::vector<Is>& containers) {
  PodState s;
  s.network_ready = true;
  s.start_time = kNow;
  for (const Is& is : containers) {
    ContainerState& c = s.of(is.name);
    c.phase = is.phase;
    c.startup_passed = is.startup_passed;
    c.retry_at = kNow + is.retry_in;
    if (is.phase != Phase::kNone) c.attempt = 0;
    if (is.phase == Phase::kExited) c.exited = Termination{.code = is.code};
  }
  return s;
}

const char* const kTwo = R"({"containers":[{"name":"a"},{"name":"b"}]})";
const char* const kOnFailure = R"({"restartPolicy":"OnFailure","containers":[{"name":"a"}]})";
const char* const kNever = R"({"restartPolicy":"Never","containers":[{"name":"a"}]})";
const char* const kInits =
    R"({"initContainers":[{"name":"i"},{"name":"s","restartPolicy":"Always"}],"containers":[{"name":"a"}]})";
const char* const kInitNever =
    R"({"restartPolicy":"Never","initContainers":[{"name":"i"}],"containers":[{"name":"a"}]})";

TEST(PodPlan, SaysWhatToStart) {
  struct Row {
    const char* sentence;
    const char* spec;
    std::vector<Is> containers;
    std::vector<std::string> start;
  };
  const Row rows[] = {
      {"all containers start at once", kTwo, {}, {"a", "b"}},
      {"what runs is left alone", kTwo, {{"a", Phase::kRunning}}, {"b"}},
      {"what is starting is left to its task",
       kTwo,
       {{"a", Phase::kStarting}, {"b", Phase::kStopping}},
       {}},
      {"policy Always starts again whatever the code",
       kTwo,
       {{"a", Phase::kExited, 0}, {"b", Phase::kExited, 1}},
       {"a", "b"}},
      {"not before its time",
       kTwo,
       {{"a", Phase::kExited, 1, std::chrono::seconds(10)}, {"b", Phase::kRunning}},
       {}},
      {"OnFailure starts a failure again", kOnFailure, {{"a", Phase::kExited, 1}}, {"a"}},
      {"OnFailure leaves a success", kOnFailure, {{"a", Phase::kExited, 0}}, {}},
      {"Never leaves a failure", kNever, {{"a", Phase::kExited, 1}}, {}},
      {"the first init container alone", kInits, {}, {"i"}},
      {"the next one when it is done", kInits, {{"i", Phase::kExited, 0}}, {"s"}},
      {"a failed init container again", kInits, {{"i", Phase::kExited, 1}}, {"i"}},
      {"nothing while a sidecar is not up",
       kInits,
       {{"i", Phase::kExited, 0}, {"s", Phase::kRunning, 0, {}, false}},
       {}},
      {"containers once the sidecar has started",
       kInits,
       {{"i", Phase::kExited, 0}, {"s", Phase::kRunning}},
       {"a"}},
      {"init containers do not run again beside containers",
       kInits,
       {{"s", Phase::kRunning}, {"a", Phase::kExited, 1}},
       {"a"}},
      {"a sidecar runs again beside containers",
       kInits,
       {{"i", Phase::kExited, 0}, {"s", Phase::kExited, 0}, {"a", Phase::kRunning}},
       {"s"}},
      {"nothing after an init container failed for good",
       kInitNever,
       {{"i", Phase::kExited, 1}},
       {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(plan_pod(*pod(row.spec), state(row.containers), kNow).start, row.start);
  }
}

TEST(PodPlan, WaitsForTheTimeOfARestart) {
  const PodPlan plan =
      plan_pod(*pod(kOnFailure), state({{"a", Phase::kExited, 1, std::chrono::seconds(10)}}), kNow);
  EXPECT_EQ(plan.look_again, kNow + std::chrono::seconds(10));
}

TEST(PodPlan, NeedsANetworkOnlyToStart) {
  PodState s = state({{"a", Phase::kRunning}, {"b", Phase::kRunning}});
  s.network_ready = false;
  EXPECT_FALSE(plan_pod(*pod(kTwo), s, kNow).needs_network);
  s.of("b").phase = Phase::kNone;
  EXPECT_TRUE(plan_pod(*pod(kTwo), s, kNow).needs_network);
}

TEST(PodPlan, EndsContainersBeforeSidecars) {
  auto spec = std::make_shared<PodSpec>(*pod(kInits));
  spec->deleting = kNow;
  PodState s = state({{"i", Phase::kExited, 0}, {"s", Phase::kRunning}, {"a", Phase::kRunning}});
  EXPECT_THAT(plan_pod(*spec, s, kNow).stop, ElementsAre(StopOrder{"a", "Stopping container"}));
  s.of("a").phase = Phase::kStopping;
  EXPECT_THAT(plan_pod(*spec, s, kNow).stop, IsEmpty());
  s.of("a").phase = Phase::kExited;
  EXPECT_THAT(plan_pod(*spec, s, kNow).stop, ElementsAre(StopOrder{"s", "Stopping container"}));
  EXPECT_FALSE(plan_pod(*spec, s, kNow).tear_down);
  s.of("s").phase = Phase::kExited;
  EXPECT_TRUE(plan_pod(*spec, s, kNow).tear_down);
  s.torn_down = true;
  EXPECT_FALSE(plan_pod(*spec, s, kNow).tear_down);
}

TEST(PodPlan, TearsDownAPodThatIsDone) {
  EXPECT_TRUE(plan_pod(*pod(kNever), state({{"a", Phase::kExited, 1}}), kNow).tear_down);
  EXPECT_TRUE(plan_pod(*pod(kOnFailure), state({{"a", Phase::kExited, 0}}), kNow).tear_down);
  EXPECT_FALSE(
      plan_pod(*pod(kTwo), state({{"a", Phase::kExited, 0}, {"b", Phase::kExited, 0}}), kNow)
          .tear_down);
}

TEST(PodPlan, FailsAtTheDeadline) {
  const auto spec = pod(R"({"activeDeadlineSeconds":60,"containers":[{"name":"a"}]})");
  const PodState s = state({{"a", Phase::kRunning}});
  EXPECT_FALSE(plan_pod(*spec, s, kNow).fail_deadline);
  EXPECT_EQ(plan_pod(*spec, s, kNow).look_again, kNow + std::chrono::seconds(60));
  EXPECT_TRUE(plan_pod(*spec, s, kNow + std::chrono::seconds(60)).fail_deadline);
}

TEST(PodPhase, FollowsContainersAndPolicy) {
  struct Row {
    const char* sentence;
    const char* spec;
    std::vector<Is> containers;
    PodPhase phase;
  };
  const Row rows[] = {
      {"nothing has started", kTwo, {}, PodPhase::kPending},
      {"one of two has started", kTwo, {{"a", Phase::kRunning}}, PodPhase::kPending},
      {"all run", kTwo, {{"a", Phase::kRunning}, {"b", Phase::kRunning}}, PodPhase::kRunning},
      {"a crash under Always is still Running",
       kTwo,
       {{"a", Phase::kRunning}, {"b", Phase::kExited, 1}},
       PodPhase::kRunning},
      {"all ended well", kNever, {{"a", Phase::kExited, 0}}, PodPhase::kSucceeded},
      {"one failed for good", kNever, {{"a", Phase::kExited, 1}}, PodPhase::kFailed},
      {"OnFailure after a failure runs on",
       kOnFailure,
       {{"a", Phase::kExited, 1}},
       PodPhase::kRunning},
      {"an init container at work", kInits, {{"i", Phase::kRunning}}, PodPhase::kPending},
      {"an init container failed for good",
       kInitNever,
       {{"i", Phase::kExited, 1}},
       PodPhase::kFailed},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(phase_of(*pod(row.spec), state(row.containers)), row.phase);
  }
}

TEST(PodPhase, FailsOnceNothingRuns) {
  const auto spec = pod(kTwo);
  PodState s = state({{"a", Phase::kRunning}, {"b", Phase::kExited, 143}});
  s.failure_reason = "DeadlineExceeded";
  EXPECT_EQ(phase_of(*spec, s), PodPhase::kRunning) << "its last container may still do something";
  s.of("a").phase = Phase::kExited;
  EXPECT_EQ(phase_of(*spec, s), PodPhase::kFailed);
}

TEST(PodState, SurvivesTheDisk) {
  PodState s = state({{"a", Phase::kExited, 7, std::chrono::seconds(3)}});
  s.ip = "10.0.0.1";
  s.of("a").last = Termination{.code = 1, .reason = "Error", .id = "x"};
  s.of("a").waiting_reason = "CrashLoopBackOff";
  const auto back = pod_state_from(to_json(s));
  ASSERT_TRUE(back);
  EXPECT_EQ(json::serialize(to_json(*back)), json::serialize(to_json(s)));
  EXPECT_FALSE(pod_state_from(json::Value("nonsense")));
}

TEST(Backoff, DoublesToFiveMinutes) {
  using std::chrono::seconds;
  EXPECT_EQ(crash_backoff(1), seconds(0)) << "the first restart is at once";
  EXPECT_EQ(crash_backoff(2), seconds(10));
  EXPECT_EQ(crash_backoff(3), seconds(20));
  EXPECT_EQ(crash_backoff(7), seconds(300));
  EXPECT_EQ(crash_backoff(1'000), seconds(300));
  EXPECT_EQ(pull_backoff(1), seconds(10));
  EXPECT_EQ(pull_backoff(50), seconds(300));
}

}  // namespace
}  // namespace atl::node

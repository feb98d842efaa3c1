#include "kernel/node/pod/pod_status.h"

#include <gtest/gtest.h>

#include <functional>

namespace atl::node {
namespace {

using Phase = ContainerState::Phase;

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};
constexpr WallTime kEarlier{std::chrono::seconds(1'799'999'000)};

PodSpecPtr pod(const std::string& spec = R"({"containers":[{"name":"a","image":"web:1"}]})") {
  auto document =
      json::parse(R"({"metadata":{"name":"p","uid":"u","generation":4},"spec":)" + spec + "}");
  EXPECT_TRUE(document) << document.error().message();
  return *read_pod(*std::move(document));
}

PodState running() {
  PodState s;
  s.start_time = kEarlier;
  s.ip = "10.0.0.5";
  s.network_ready = true;
  ContainerState& c = s.of("a");
  c.phase = Phase::kRunning;
  c.attempt = 0, c.id = "u_a_0", c.started = kEarlier;
  c.startup_passed = c.ready = true;
  return s;
}

json::Value status(const PodSpec& spec, const PodState& state,
                   const json::Value& before = json::Object{}) {
  return pod_status(spec, state, {"192.0.2.1", kNow}, before);
}

std::string condition(const json::Value& status, std::string_view type,
                      std::string_view field = "status") {
  for (const json::Value& c : json::array_at(status, {"conditions"})) {
    if (json::string_at(c, {"type"}) == type) return std::string(json::string_at(c, {field}));
  }
  return "none";
}

const json::Value& first(const json::Value& status) {
  return json::array_at(status, {"containerStatuses"})[0];
}

TEST(PodStatus, OfAReadyPod) {
  const json::Value s = status(*pod(), running());
  EXPECT_EQ(json::string_at(s, {"phase"}), "Running");
  EXPECT_EQ(json::string_at(s, {"podIP"}), "10.0.0.5");
  EXPECT_EQ(json::int_at(s, {"observedGeneration"}), 4);
  EXPECT_TRUE(json::bool_at(first(s), {"ready"}));
  EXPECT_TRUE(json::bool_at(first(s), {"started"}));
  EXPECT_EQ(json::string_at(first(s), {"state", "running", "startedAt"}), rfc3339(kEarlier));
  for (const char* type :
       {"Ready", "ContainersReady", "Initialized", "PodScheduled", "PodReadyToStartContainers"}) {
    EXPECT_EQ(condition(s, type), "True") << type;
  }
}

TEST(PodStatus, TimesOfConditionsMoveOnlyWithTheirStatus) {
  const PodSpecPtr p = pod();
  const json::Value before = status(*p, running());
  const json::Value later =
      pod_status(*p, running(), {"192.0.2.1", kNow + std::chrono::hours(1)}, before);
  EXPECT_TRUE(status_patch(before, later).is_null())
      << json::serialize(status_patch(before, later));
  PodState s = running();
  s.of("a").ready = false;
  const json::Value changed =
      pod_status(*p, s, {"192.0.2.1", kNow + std::chrono::hours(1)}, before);
  EXPECT_EQ(condition(changed, "Ready"), "False");
  EXPECT_EQ(condition(changed, "Ready", "reason"), "ContainersNotReady");
  EXPECT_EQ(condition(changed, "Ready", "message"), "containers with unready status: [a]");
  EXPECT_EQ(condition(changed, "Ready", "lastTransitionTime"),
            rfc3339(kNow + std::chrono::hours(1)));
  EXPECT_EQ(condition(changed, "Initialized", "lastTransitionTime"), rfc3339(kNow));
}

TEST(PodStatus, ShowsWhyAContainerWaits) {
  struct Row {
    const char* sentence;
    std::function<void(PodState&)> change;
    const char* reason;
  };
  const Row rows[] = {
      {"nothing has been made", [](PodState& s) { s.containers.clear(); }, "ContainerCreating"},
      {"an image is missing",
       [](PodState& s) {
         s.of("a").phase = Phase::kNone, s.of("a").waiting_reason = "ImagePullBackOff";
       },
       "ImagePullBackOff"},
      {"a crash waits for its turn",
       [](PodState& s) {
         s.of("a").phase = Phase::kExited;
         s.of("a").exited = Termination{.code = 1, .reason = "Error"};
         s.of("a").waiting_reason = "CrashLoopBackOff";
       },
       "CrashLoopBackOff"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    PodState s = running();
    row.change(s);
    const json::Value seen = status(*pod(), s);
    EXPECT_EQ(json::string_at(first(seen), {"state", "waiting", "reason"}), row.reason);
    EXPECT_FALSE(json::bool_at(first(seen), {"ready"}));
  }
}

TEST(PodStatus, AnEndedRunIsTheStateThenTheLastState) {
  PodState s = running();
  ContainerState& c = s.of("a");
  c.phase = Phase::kExited;
  c.exited = Termination{.code = 137,
                         .signal = 9,
                         .reason = "OOMKilled",
                         .started = kEarlier,
                         .finished = kNow,
                         .id = "u_a_0"};
  json::Value seen = status(*pod(R"({"restartPolicy":"Never","containers":[{"name":"a"}]})"), s);
  EXPECT_EQ(json::string_at(seen, {"phase"}), "Failed");
  EXPECT_EQ(json::string_at(first(seen), {"state", "terminated", "reason"}), "OOMKilled");
  EXPECT_EQ(condition(seen, "Ready", "reason"), "PodFailed");
  c.waiting_reason = "CrashLoopBackOff";
  seen = status(*pod(), s);
  EXPECT_EQ(json::int_at(first(seen), {"lastState", "terminated", "exitCode"}), 137);
}

TEST(PodStatus, ReadinessGatesCount) {
  const PodSpecPtr p =
      pod(R"({"readinessGates":[{"conditionType":"x/ok"}],"containers":[{"name":"a"}]})");
  EXPECT_EQ(condition(status(*p, running()), "Ready"), "False");
  EXPECT_EQ(condition(status(*p, running()), "ContainersReady"), "True");
  const json::Value before = *json::parse(R"({"conditions":[{"type":"x/ok","status":"True"}]})");
  EXPECT_EQ(condition(status(*p, running(), before), "Ready"), "True");
  EXPECT_EQ(condition(status(*p, running(), before), "x/ok"), "True") << "others' conditions stay";
}

TEST(PodStatus, InitContainersAreListedApart) {
  const PodSpecPtr p = pod(R"({"initContainers":[{"name":"i"}],"containers":[{"name":"a"}]})");
  PodState s;
  s.network_ready = true;
  s.of("i").phase = Phase::kRunning, s.of("i").attempt = 0;
  const json::Value seen = status(*p, s);
  EXPECT_EQ(json::array_at(seen, {"initContainerStatuses"}).size(), 1u);
  EXPECT_EQ(json::string_at(first(seen), {"state", "waiting", "reason"}), "PodInitializing");
  EXPECT_EQ(condition(seen, "Initialized", "message"), "containers with incomplete status: [i]");
  EXPECT_EQ(json::string_at(seen, {"phase"}), "Pending");
}

TEST(NewestConditions, OursAsWrittenOthersAsSeen) {
  const auto list = [](const char* text) { return json::parse(text)->as_array(); };
  const json::Array out = newest_conditions(
      list(R"([{"type":"Ready","status":"False"},{"type":"x","status":"True"}])"),
      list(R"([{"type":"Ready","status":"True"},{"type":"x","status":"False"}])"));
  EXPECT_EQ(json::serialize(out),
            R"([{"status":"True","type":"Ready"},{"status":"True","type":"x"}])");
}

TEST(StatusPatch, RemovesWhatIsNoLongerSaid) {
  const json::Value before =
      *json::parse(R"({"phase":"Pending","reason":"Old","qosClass":"Burstable"})");
  const json::Value patch =
      status_patch(before, *json::parse(R"({"phase":"Running","qosClass":"Burstable"})"));
  EXPECT_EQ(json::serialize(patch), R"({"phase":"Running","reason":null})");
}

}  // namespace
}  // namespace atl::node

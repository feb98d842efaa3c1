#include "kernel/node/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "kernel/node/testing/agent_fixture.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;

class AgentTest : public AgentFixture {};

TEST_F(AgentTest, RunsAPodAndReportsIt) {
  (void)world_.client.put(kPods, pod("a"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    EVENTUALLY(condition("a", "Ready") == "True");
    const json::Value all = seen("a");
    EXPECT_EQ(json::string_at(all, {"status", "podIP"}), "10.42.0.2");
    EXPECT_EQ(json::string_at(all, {"status", "hostIP"}), "192.0.2.1");
    EXPECT_EQ(json::string_at(all, {"status", "qosClass"}), "BestEffort");
    EXPECT_EQ(json::int_at(all, {"status", "observedGeneration"}), 1);
    EXPECT_EQ(json::string_at(status_of("a"), {"containerID"}), "atoll://" + uid("a") + "_main_0");
    EXPECT_TRUE(json::find(status_of("a"), {"state", "running", "startedAt"}));
    co_return Unit{};
  });
  EXPECT_THAT(events(), Contains("Pulled: Container image \"web:1\" already present on machine"));
  EXPECT_THAT(events(), Contains("Started: Started container main"));
  EXPECT_EQ(runtime_.containers.size(), 1u) << "stopping the agent leaves containers alone";
}

TEST_F(AgentTest, WhoAttachesHoldsStreamsOfHisOwn) {
  (void)world_.client.put(kPods, pod("a", R"([{"name":"main","image":"web:1","stdin":true}])",
                                     R"("restartPolicy":"Never",)"));
  with_agent([&](Agent& agent) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    PodWorker* const worker = agent.find("default", "a");
    auto held = worker->streams("main");
    EXPECT_TRUE(held && held->stdin_pipe && !held->terminal);
    if (!held) co_return Unit{};
    // stdinOnce: the container sees the end of its input once nobody holds it any more.
    worker->close_stdin("main");
    EXPECT_EQ(::write(held->stdin_pipe.get(), "x", 1), 1) << "ours is open still";
    held->stdin_pipe.reset();
    const int in = runtime_.containers.begin()->second.in.get();
    char byte = 0;
    EXPECT_EQ(::read(in, &byte, 1), 1);
    EXPECT_EQ(::read(in, &byte, 1), 0) << "the end";
    runtime_.end("main", 0);
    EVENTUALLY(phase("a") == "Succeeded");
    auto later = worker->streams("main");
    EXPECT_TRUE(later && !later->stdin_pipe);
    co_return Unit{};
  });
}

TEST_F(AgentTest, ANewAgentTakesOverWithoutDisturbingAnything) {
  (void)world_.client.put(kPods, pod("a"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    co_return Unit{};
  });
  const auto history = runtime_.history;
  with_agent([&](Agent& agent) -> Task<> {
    co_await world_.timer.sleep_for(1min);
    EXPECT_EQ(runtime_.history, history) << "no container was touched";
    EXPECT_THAT(network_.recovered, testing::ElementsAre("a 10.42.0.2"));
    auto found = agent.find("default", "a")->access("main", false);
    EXPECT_TRUE(found && found->running && found->log);
    // Its end while an agent looks, and its end while none does, count alike.
    runtime_.end("main", 3);
    EVENTUALLY(json::int_at(status_of("a"), {"restartCount"}) == 1 &&
               condition("a", "Ready") == "True");
    co_return Unit{};
  });
  runtime_.end("main", 4);
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(json::int_at(status_of("a"), {"restartCount"}) == 2);
    EXPECT_EQ(json::int_at(status_of("a"), {"lastState", "terminated", "exitCode"}), 4);
    co_return Unit{};
  });
}

TEST_F(AgentTest, ContainersThatVanishedAreStartedAgain) {
  struct Case {
    const char* what;
    bool memory_too;  // with what the agent kept there
  };
  for (const Case& c : {Case{"the keeper lost them", false}, Case{"the machine went", true}}) {
    SCOPED_TRACE(c.what);
    const std::string name = c.memory_too ? "b" : "a";
    const std::string left = folder_ + "/pods/of-a-pod-that-went-meanwhile";
    (void)world_.client.put(kPods, pod(name));
    with_agent([&](Agent&) -> Task<> {
      EVENTUALLY(phase(name) == "Running");
      co_return Unit{};
    });
    runtime_.containers.clear();
    if (c.memory_too) std::filesystem::remove_all(folder_ + "/run");
    std::filesystem::create_directories(left);
    with_agent([&](Agent&) -> Task<> {
      EVENTUALLY(json::int_at(status_of(name), {"restartCount"}) >= 1 &&
                 condition(name, "Ready") == "True");
      EXPECT_EQ(json::int_at(status_of(name), {"restartCount"}), 1);
      EXPECT_EQ(json::string_at(status_of(name), {"lastState", "terminated", "reason"}),
                "ContainerStatusUnknown");
      EXPECT_EQ(json::string_at(status_of(name), {"containerID"}),
                "atoll://" + uid(name) + "_main_1");
      EVENTUALLY(!std::filesystem::exists(left));
      co_return Unit{};
    });
  }
}

TEST_F(AgentTest, CrashesBackOffFromTenSeconds) {
  (void)world_.client.put(kPods, pod("a"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    runtime_.end("main", 1);
    EVENTUALLY(json::int_at(status_of("a"), {"restartCount"}) ==
               1);  // the first restart is at once
    runtime_.end("main", 1);
    EVENTUALLY(waiting("a") == "CrashLoopBackOff");
    EXPECT_EQ(json::string_at(status_of("a"), {"lastState", "terminated", "reason"}), "Error");
    EXPECT_THAT(std::string(json::string_at(status_of("a"), {"state", "waiting", "message"})),
                HasSubstr("back-off 10s"));
    co_await world_.timer.sleep_for(9s);
    EXPECT_EQ(json::int_at(status_of("a"), {"restartCount"}), 1);
    co_await world_.timer.sleep_for(2s);
    EXPECT_EQ(json::int_at(status_of("a"), {"restartCount"}), 2);
    EXPECT_EQ(phase("a"), "Running");
    co_return Unit{};
  });
}

TEST_F(AgentTest, SaysWhyAnImageCannotBePulled) {
  (void)world_.client.put(kPods, pod("a", R"([{"name":"main","image":"nothere:1"}])"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(waiting("a") == "ErrImagePull");
    EVENTUALLY(waiting("a") == "ImagePullBackOff");
    EXPECT_EQ(phase("a"), "Pending");
    images_.registry["nothere:1"] = FakeImages::image("nothere:1");
    EVENTUALLY(condition("a", "Ready") == "True");
    co_return Unit{};
  });
  EXPECT_THAT(events(), Contains(HasSubstr("Failed to pull image \"nothere:1\"")));
  EXPECT_THAT(events(), Contains(HasSubstr("BackOff: Back-off pulling image")));
}

TEST_F(AgentTest, SaysWhyACommandCannotBeStarted) {
  runtime_.create_errors.emplace("main",
                                 Error(Code::kInvalid, "executable file `/nope` not found"));
  (void)world_.client.put(kPods, pod("a"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(waiting("a") == "RunContainerError");
    EVENTUALLY(waiting("a") == "CrashLoopBackOff");
    EXPECT_EQ(json::int_at(status_of("a"), {"lastState", "terminated", "exitCode"}), 128);
    runtime_.create_errors.clear();
    EVENTUALLY(condition("a", "Ready") == "True");
    co_return Unit{};
  });
}

TEST_F(AgentTest, AProbeThatTheNodeCannotMakeIsAConfigErrorAndNoRestartForEver) {
  (void)world_.client.put(kPods, pod("a", R"([{"name":"main","image":"web:1",
    "livenessProbe":{"grpc":{"port":9090}}}])"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(waiting("a") == "CreateContainerConfigError");
    EXPECT_THAT(std::string(json::string_at(status_of("a"), {"state", "waiting", "message"})),
                HasSubstr("livenessProbe: gRPC probes are not offered by this node"));
    co_return Unit{};
  });
  EXPECT_TRUE(runtime_.containers.empty());
}

TEST_F(AgentTest, AMissingConfigMapIsAConfigErrorUntilItComes) {
  (void)world_.client.put(
      kPods, pod("a", R"([{"name":"main","image":"web:1","env":[{"name":"X","valueFrom":)"
                      R"({"configMapKeyRef":{"name":"cm","key":"x"}}}]}])"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(waiting("a") == "CreateContainerConfigError");
    EXPECT_EQ(json::string_at(status_of("a"), {"state", "waiting", "message"}),
              "configmap \"cm\" not found");
    auto map = json::parse(
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm","namespace":"default"},"data":{"x":"7"}})");
    (void)world_.client.put({"", "v1", "configmaps"}, *map);
    EVENTUALLY(condition("a", "Ready") == "True");
    const json::Value& spec = runtime_.containers.begin()->second.spec;
    EXPECT_THAT(json::serialize(json::array_at(spec, {"process", "env"})), HasSubstr("X=7"));
    co_return Unit{};
  });
}

TEST_F(AgentTest, DeletionDrainsThenEndsThenDeletesTheObject) {
  runtime_.ignore_term.insert("main");
  (void)world_.client.put(kPods, pod("a", R"([{"name":"main","image":"web:1"}])",
                                     R"("terminationGracePeriodSeconds":5,)"));
  with_agent([&](Agent& agent) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    const std::string gone = uid("a");
    CO_TRY_OK(co_await world_.client.remove(kPods, {"default", "a"}, {}));
    const MonoTime asked = world_.timer.monotonic();
    EVENTUALLY(!network_.drained.empty());
    EVENTUALLY(!world_.client.peek(kPods, {"default", "a"}));
    EXPECT_GE(world_.timer.monotonic() - asked, 5s) << "SIGKILL only after the grace";
    EVENTUALLY(agent.all().empty());
    EXPECT_TRUE(runtime_.containers.empty());
    EXPECT_TRUE(runtime_.fds.empty());
    EXPECT_TRUE(network_.attached.empty());
    EXPECT_TRUE(images_.holders.empty());
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/pods/" + gone));
    co_return Unit{};
  });
}

TEST_F(AgentTest, APodThatWasDeletedWhileNobodyLookedIsEnded) {
  (void)world_.client.put(kPods, pod("a"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    co_return Unit{};
  });
  (void)world_.client.drop(kPods, {"default", "a"});
  with_agent([&](Agent& agent) -> Task<> {
    EVENTUALLY(agent.all().empty());
    EXPECT_TRUE(runtime_.containers.empty());
    co_return Unit{};
  });
}

TEST_F(AgentTest, InitContainersRunInOrderAndSidecarsStay) {
  (void)world_.client.put(
      kPods,
      pod("a", R"([{"name":"main","image":"web:1"}])",
          R"("restartPolicy":"Never","initContainers":[{"name":"one","image":"web:1"},)"
          R"({"name":"side","image":"web:1","restartPolicy":"Always"},{"name":"two","image":"web:1"}],)"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(!runtime_.find("one").empty());
    co_await world_.timer.sleep_for(5s);
    EXPECT_TRUE(runtime_.find("side").empty());
    EXPECT_EQ(waiting("a"), "PodInitializing");
    EXPECT_EQ(condition("a", "Initialized"), "False");
    runtime_.end("one", 0);
    EVENTUALLY(!runtime_.find("side").empty() && !runtime_.find("two").empty());
    EXPECT_TRUE(runtime_.find("main").empty());
    runtime_.end("two", 0);
    EVENTUALLY(!runtime_.find("main").empty() && condition("a", "Ready") == "True");
    runtime_.end("main", 0);
    EVENTUALLY(phase("a") == "Succeeded");
    EXPECT_TRUE(runtime_.find("side").empty()) << "a sidecar ends with the last container";
    EXPECT_TRUE(network_.attached.empty());
    co_return Unit{};
  });
}

TEST_F(AgentTest, AFailedInitContainerFailsAPodThatNeverRestarts) {
  (void)world_.client.put(
      kPods, pod("a", R"([{"name":"main","image":"web:1"}])",
                 R"("restartPolicy":"Never","initContainers":[{"name":"one","image":"web:1"}],)"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(!runtime_.find("one").empty());
    runtime_.end("one", 2);
    EVENTUALLY(phase("a") == "Failed");
    EXPECT_TRUE(runtime_.find("main").empty());
    co_return Unit{};
  });
}

TEST_F(AgentTest, ReadinessFollowsTheProbeAndLivenessRestarts) {
  actions_.healthy["/ready"] = false;
  (void)world_.client.put(
      kPods,
      pod("a",
          R"([{"name":"main","image":"web:1","readinessProbe":{"httpGet":{"path":"/ready","port":80},"periodSeconds":1},)"
          R"("livenessProbe":{"httpGet":{"path":"/live","port":80},"periodSeconds":1,"failureThreshold":3}}])"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    co_await world_.timer.sleep_for(10s);
    EXPECT_EQ(condition("a", "Ready"), "False");
    actions_.healthy["/ready"] = true;
    EVENTUALLY(condition("a", "Ready") == "True");
    actions_.healthy["/live"] = false;
    EVENTUALLY(json::int_at(status_of("a"), {"restartCount"}) == 1);
    co_return Unit{};
  });
  EXPECT_THAT(events(),
              Contains(HasSubstr(
                  "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500")));
  EXPECT_THAT(events(),
              Contains("Killing: Container main failed liveness probe, will be restarted"));
}

TEST_F(AgentTest, NothingElseIsProbedBeforeTheStartupProbePasses) {
  actions_.healthy["/started"] = false;
  (void)world_.client.put(
      kPods,
      pod("a",
          R"([{"name":"main","image":"web:1","startupProbe":{"httpGet":{"path":"/started","port":80},"periodSeconds":1,"failureThreshold":30},)"
          R"("livenessProbe":{"httpGet":{"path":"/live","port":80},"periodSeconds":1}}])"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    co_await world_.timer.sleep_for(5s);
    EXPECT_THAT(actions_.calls, testing::Not(Contains("/live")));
    EXPECT_FALSE(json::bool_at(status_of("a"), {"started"}));
    actions_.healthy["/started"] = true;
    EVENTUALLY(condition("a", "Ready") == "True");
    EVENTUALLY(std::count(actions_.calls.begin(), actions_.calls.end(), "/live") > 0);
    co_return Unit{};
  });
}

TEST_F(AgentTest, TheDeadlineOfAPodFailsIt) {
  (void)world_.client.put(
      kPods, pod("a", R"([{"name":"main","image":"web:1"}])", R"("activeDeadlineSeconds":30,)"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running");
    EVENTUALLY(phase("a") == "Failed");
    EXPECT_EQ(json::string_at(seen("a"), {"status", "reason"}), "DeadlineExceeded");
    EVENTUALLY(runtime_.containers.empty());
    co_return Unit{};
  });
}

TEST_F(AgentTest, ANetworkThatCannotBeMadeIsToldAndTriedAgain) {
  network_.attach_error = Error(Code::kExhausted, "no address left");
  (void)world_.client.put(kPods, pod("a"));
  with_agent([&](Agent&) -> Task<> {
    co_await world_.timer.sleep_for(5s);
    EXPECT_EQ(waiting("a"), "ContainerCreating");
    network_.attach_error.reset();
    EVENTUALLY(condition("a", "Ready") == "True");
    co_return Unit{};
  });
  EXPECT_THAT(events(),
              Contains("FailedCreatePodSandBox: Failed to create pod sandbox: no address left"));
}

TEST_F(AgentTest, WritesSurviveAnApiThatFails) {
  (void)world_.client.put(kPods, pod("a"));
  int calls = 0;
  world_.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    if (call.resource.resource != "pods" || !call.writes()) return std::nullopt;
    return ++calls % 2 == 1 ? std::optional<api::Fault>(api::Fault{}) : std::nullopt;
  });
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(condition("a", "Ready") == "True");
    (void)co_await world_.client.remove(kPods, {"default", "a"}, {});
    (void)co_await world_.client.remove(kPods, {"default", "a"}, {});
    EVENTUALLY(!world_.client.peek(kPods, {"default", "a"}));
    co_return Unit{};
  });
}

TEST_F(AgentTest, AStatusThatTheServerLostIsWrittenAgain) {
  (void)world_.client.put(kPods, pod("a"));
  const json::Value fresh = seen("a");
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(condition("a", "Ready") == "True");
    (void)world_.client.put(kPods, fresh);  // as from a backup
    EVENTUALLY(phase("a") == "Running" && condition("a", "Ready") == "True");
    co_return Unit{};
  });
  (void)world_.client.put(kPods, fresh);  // and while nobody looks
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(phase("a") == "Running" && condition("a", "Ready") == "True");
    EXPECT_EQ(json::int_at(status_of("a"), {"restartCount"}), 0);
    co_return Unit{};
  });
}

TEST_F(AgentTest, AStatusLostWhileAnotherIsBeingWrittenIsWrittenAgain) {
  (void)world_.client.put(
      kPods, pod("a", R"([{"name":"main","image":"web:1"}])", R"("restartPolicy":"Never",)"));
  const json::Value fresh = seen("a");
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(condition("a", "Ready") == "True");
    world_.client.set_latency([] { return 500ms; });
    runtime_.end("main", 3);
    co_await world_.timer.sleep_for(250ms);
    (void)world_.client.put(kPods, fresh);
    EVENTUALLY(phase("a") == "Failed");
    EVENTUALLY(json::string_at(seen("a"), {"status", "podIP"}) == "10.42.0.2");
    co_return Unit{};
  });
}

TEST_F(AgentTest, RegistersTheNodeAndRenewsItsLease) {
  with_agent([&](Agent&) -> Task<> {
    const api::Gvr nodes{"", "v1", "nodes"};
    const api::Gvr leases{"coordination.k8s.io", "v1", "leases"};
    EVENTUALLY(world_.client.peek(leases, {"kube-node-lease", "n1"}) != nullptr);
    const json::Value node = world_.client.peek(nodes, {"", "n1"})->parse();
    EXPECT_EQ(json::string_at(node, {"metadata", "labels", "kubernetes.io/hostname"}), "n1");
    EXPECT_EQ(json::string_at(json::array_at(node, {"status", "addresses"})[0], {"address"}),
              "192.0.2.1");
    const auto before = world_.client.peek(leases, {"kube-node-lease", "n1"})->revision();
    co_await world_.timer.sleep_for(25s);
    EXPECT_GT(world_.client.peek(leases, {"kube-node-lease", "n1"})->revision(), before);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::node

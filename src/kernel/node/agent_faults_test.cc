// Pods that do harm, and what goes wrong on the node itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/io/files.h"
#include "kernel/node/testing/agent_fixture.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;

class AgentFaultsTest : public AgentFixture {};

TEST_F(AgentFaultsTest, AWorkingFolderIsMadeInsideTheContainerAlone) {
  const std::string escaped = folder_ + "/escaped";
  const std::string cwd = "/../../../../../../../../.." + escaped;
  (void)world_.client.put(
      kPods, pod("a", R"([{"name":"main","image":"web:1","workingDir":")" + cwd + R"("}])"));
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(condition("a", "Ready") == "True");
    const std::string upper = folder_ + "/pods/" + uid("a") + "/containers/main_0/upper";
    EXPECT_EQ(std::filesystem::weakly_canonical(upper + cwd), escaped)
        << "the path does not lead out: the test shows nothing";
    EXPECT_FALSE(std::filesystem::exists(escaped));
    EXPECT_TRUE(std::filesystem::exists(upper + escaped));
    const json::Value& spec = runtime_.containers.begin()->second.spec;
    EXPECT_EQ(json::string_at(spec, {"process", "cwd"}), escaped);
    co_return Unit{};
  });
}

// Pods as an API or a file may hold them that checks less than ours.
TEST_F(AgentFaultsTest, NullsAndNonsenseInAPodHarmNoOther) {
  const auto with = [](const std::string& fields) {
    return R"([{"name":"main","image":"web:1",)" + fields + "}]";
  };
  const std::string main = R"([{"name":"main","image":"web:1"}])";
  const std::pair<std::string, std::string> pods[] = {
      {with(R"("command":[null],"args":[null,7])"), ""},
      {with(R"("securityContext":{"capabilities":{"add":[null],"drop":[null,{}]}})"), ""},
      {with(R"("securityContext":{"runAsUser":1e30,"runAsGroup":-1})"), ""},
      {with(R"("livenessProbe":{"exec":{"command":[null]},"periodSeconds":1})"), ""},
      {with(R"("livenessProbe":{"httpGet":{"port":1.5}},"lifecycle":{"preStop":null})"), ""},
      {with(R"("env":[null],"envFrom":[null],"ports":[null],"volumeMounts":[null])"), ""},
      {with(R"("resources":{"limits":{"cpu":[],"memory":null}})"), ""},
      {main, R"("hostAliases":[null,{"ip":null,"hostnames":[null]}],)"},
      {main, R"("dnsConfig":{"nameservers":[null],"searches":[null],"options":[null]},)"},
      {main, R"("volumes":[null,"x"],"imagePullSecrets":[null],)"},
      {main, R"("securityContext":{"supplementalGroups":[null],"fsGroup":[],"sysctls":[null]},)"},
      {main, R"("initContainers":[null],"tolerations":[null],)"},
      {"[null]", ""},
  };
  int n = 0;
  for (const auto& [containers, more] : pods)
    (void)world_.client.put(kPods, pod("odd-" + std::to_string(n++), containers, more));
  (void)world_.client.put(kPods, pod("a"));
  for (const char* agent : {"that sees them in the API", "that reads them from pod.json"}) {
    SCOPED_TRACE(agent);
    with_agent([&](Agent& a) -> Task<> {
      EVENTUALLY(condition("a", "Ready") == "True");
      co_await world_.timer.sleep_for(10s);
      EXPECT_EQ(a.all().size(), std::size(pods) + 1);
      EXPECT_EQ(json::int_at(status_of("a"), {"restartCount"}), 0);
      co_return Unit{};
    });
  }
  EXPECT_THAT(events(), Contains(HasSubstr("Error: securityContext.runAsUser: ")));
}

TEST_F(AgentFaultsTest, AProbeCommandMayHoldNulls) {
  const auto actions = make_action_runner(world_.seams().executor, world_.timer, runtime_);
  with_agent([&](Agent&) -> Task<> {
    const auto probe = json::parse(R"({"exec":{"command":[null,"x"]}})");
    auto done = co_await actions->run(*probe, {}, 1s);
    EXPECT_EQ(done.error().code(), Code::kMethodNotAllowed) << "as far as the runtime";
    co_return Unit{};
  });
}

TEST_F(AgentFaultsTest, WhatThrowsInOnePodStopsNeitherTheAgentNorAnotherPod) {
  actions_.throwing = {"/boom"};
  network_.throwing = {"b"};
  images_.throwing = {"boom:1"};
  images_.here["boom:1"] = FakeImages::image("boom:1");
  (void)world_.client.put(kPods, pod("a"));
  (void)world_.client.put(kPods, pod("b"));
  (void)world_.client.put(kPods, pod("c", R"([{"name":"c","image":"boom:1"}])"));
  (void)world_.client.put(
      kPods, pod("d", R"([{"name":"d","image":"web:1","readinessProbe":)"
                      R"({"httpGet":{"path":"/boom","port":80},"periodSeconds":1}}])"));
  with_agent([&](Agent& agent) -> Task<> {
    EVENTUALLY(condition("a", "Ready") == "True");
    EVENTUALLY(waiting("c") == "CreateContainerError");
    EVENTUALLY(phase("d") == "Running");
    co_await world_.timer.sleep_for(10s);
    EXPECT_EQ(agent.all().size(), 4u);
    actions_.throwing.clear(), network_.throwing.clear(), images_.throwing.clear();
    for (const char* name : {"a", "b", "c", "d"}) EVENTUALLY(condition(name, "Ready") == "True");
    co_return Unit{};
  });
  EXPECT_THAT(events(), Contains(HasSubstr("FailedSync: Error syncing pod: pod default/b: ")));
  EXPECT_THAT(events(), Contains(HasSubstr("FailedSync: Error syncing pod: probe of d: ")));
  EXPECT_THAT(events(), Contains(HasSubstr("Failed: Error: a fault of this node: a fault in a")));
}

TEST_F(AgentFaultsTest, WhatRunsIsNeverRemovedWhateverIsOnRecord) {
  (void)world_.client.put(kPods, pod("a"));
  const std::string state = folder_ + "/run/" + uid("a") + "/state.json";
  std::string first;
  with_agent([&](Agent&) -> Task<> {
    EVENTUALLY(condition("a", "Ready") == "True");
    co_await world_.timer.sleep_for(2s);
    first = *io::read_file(state);
    runtime_.end("main", 3);
    EVENTUALLY(json::int_at(status_of("a"), {"restartCount"}) == 1 &&
               condition("a", "Ready") == "True");
    co_await world_.timer.sleep_for(2s);
    co_return Unit{};
  });
  const std::string running = runtime_.find("main");
  const std::pair<const char*, std::function<void()>> cases[] = {
      {"of the attempt before", [&] { EXPECT_TRUE(io::write_file_atomic(state, first, 0600)); }},
      {"gone", [&] { std::filesystem::remove(state); }},
      {"nonsense", [&] { EXPECT_TRUE(io::write_file_atomic(state, "{", 0600)); }},
  };
  for (const auto& [what, spoil] : cases) {
    SCOPED_TRACE(what);
    spoil();
    const auto history = runtime_.history;
    with_agent([&](Agent&) -> Task<> {
      co_await world_.timer.sleep_for(1min);
      EXPECT_EQ(runtime_.history, history);
      EXPECT_EQ(runtime_.find("main"), running);
      EXPECT_EQ(condition("a", "Ready"), "True");
      EXPECT_EQ(json::int_at(status_of("a"), {"restartCount"}), 1);
      EXPECT_EQ(network_.attached.size(), 1u);
      EXPECT_TRUE(runtime_.fds.contains(uid("a"))) << "its network is held on";
      co_return Unit{};
    });
  }
}

TEST_F(AgentFaultsTest, NothingIsMadeThatIsNotOnRecord) {
  for (const char* file : {"/state.json", "/pod.json"}) {
    SCOPED_TRACE(file);
    const std::string name = file[1] == 's' ? "a" : "b";
    (void)world_.client.put(kPods, pod(name));
    const std::string path = folder_ + "/run/" + uid(name) + file;
    const size_t before = runtime_.history.size();
    std::filesystem::create_directories(path + ".new");  // so that nothing can be written there
    with_agent([&](Agent&) -> Task<> {
      EVENTUALLY(waiting(name) == "CreateContainerError");
      EXPECT_EQ(runtime_.history.size(), before) << "the runtime was asked all the same";
      EXPECT_TRUE(
          std::none_of(images_.holders.begin(), images_.holders.end(),
                       [&](const auto& held) { return held.first.starts_with(uid(name)); }));
      std::filesystem::remove(path + ".new");
      EVENTUALLY(condition(name, "Ready") == "True");
      EXPECT_EQ(json::int_at(status_of(name), {"restartCount"}), 0);
      co_return Unit{};
    });
  }
}

}  // namespace
}  // namespace atl::node

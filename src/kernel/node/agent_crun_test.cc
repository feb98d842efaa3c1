// The agent over a real keeper and crun: whole pods, and the agent killed at random moments.
#include <gmock/gmock.h>

#include <filesystem>

#include <boost/asio/io_context.hpp>

#include "api/client/fake_client.h"
#include "base/async/run.h"
#include "base/core/rng.h"
#include "kernel/keeper/keeper_fixture.h"
#include "kernel/node/agent.h"
#include "kernel/node/runtime/crun_runtime.h"
#include "kernel/node/testing/fake_actions.h"
#include "kernel/node/testing/fake_images.h"
#include "kernel/node/testing/fake_network.h"
#include "kernel/node/testing/fake_runtime.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const api::Gvr kPods{"", "v1", "pods"};

// Every image is the same busybox.
class BusyboxImages final : public oci::ImageStore {
 public:
  explicit BusyboxImages(std::string rootfs) : rootfs_(std::move(rootfs)) {}
  Task<oci::Pulled> ensure(oci::PullRequest request) override {
    co_return oci::Pulled{FakeImages::image(request.ref), true};
  }
  Task<oci::Image> find(std::string ref) override { co_return FakeImages::image(ref); }
  Task<std::vector<oci::Image>> load_archive(std::shared_ptr<net::BodyReader>) override {
    co_return std::vector<oci::Image>();
  }
  Task<std::vector<oci::ImageSummary>> list() override {
    co_return std::vector<oci::ImageSummary>();
  }
  Task<> remove(std::string) override { co_return Unit{}; }
  Task<oci::LayerMounts> hold(std::string, std::string) override {
    co_return oci::LayerMounts{{rootfs_}};
  }
  Task<> release(std::string) override { co_return Unit{}; }
  Task<> keep_only(std::vector<std::string>) override { co_return Unit{}; }
  Task<> pin(std::string, bool) override { co_return Unit{}; }

 private:
  std::string rootfs_;
};

// One process of an agent with its own API in memory: what survives it is on disk and in the
// keeper.
struct RealNode {
  asio::io_context loop{1};
  SystemTimer timer;
  SystemRng rng;
  SeededRng api_rng{5};  // the same uids in every process
  api::FakeClient client{timer, api_rng};
  Cgroups cgroups;
  CrunRuntime runtime;
  BusyboxImages images;
  FakeNetwork network;
  FakeActions actions{timer};
  std::unique_ptr<Agent> agent;

  RealNode(const std::string& folder, const std::string& instance,
           int64_t pod_processes = default_process_limit())
      : cgroups(*Cgroups::open(instance)),
        runtime(loop.get_executor(), timer, cgroups,
                {.state_folder = folder + "/crun",
                 .run_folder = folder,
                 .keeper_program = "/proc/self/exe",
                 .keeper_socket = folder + "/keeper.sock"}),
        images(folder + "/rootfs") {
    AgentParts parts{
        {loop.get_executor(), &timer, &rng}, client, runtime, images, network, actions, &cgroups};
    parts.folder = folder + "/pods";
    parts.facts.name = "n1";
    parts.pod_processes = pod_processes;
    parts.trouble = [] { return std::string(); };
    agent = std::make_unique<Agent>(std::move(parts));
  }

  std::string run(std::function<Task<>()> body) {
    runtime.start_link();
    const Result<> done = atl::run(loop, [&]() -> Task<> {
      const bool connected = co_await runtime.connected(10s);
      if (!connected) co_return Error(Code::kTimeout, "no keeper");
      CO_TRY_OK(co_await agent->start());
      auto outcome = co_await body();
      co_await agent->stop();
      co_await runtime.stop();
      co_return outcome;
    });
    return done ? std::string() : done.error().message();
  }
  Async<bool> eventually(std::function<bool()> condition) {
    for (int i = 0; i < 1'500; ++i) {
      const bool holds = condition();
      if (holds) co_return true;
      co_await timer.sleep_for(10ms);
    }
    co_return false;
  }
  json::Value pod(const std::string& name) {
    const api::ObjectPtr object = client.peek(kPods, {"default", name});
    return object ? object->parse() : json::Value();
  }
  json::Value container(const std::string& name) {
    const json::Value p = pod(name);
    const json::Array& all = json::array_at(p, {"status", "containerStatuses"});
    return all.empty() ? json::Value() : all[0];
  }
};

class AgentCrunTest : public keeper::KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    if (folder_.empty()) return;
    if (!Cgroups::open(cgroup_)) GTEST_SKIP() << "needs cgroups";
    shell("/bin/busybox --install -s " + rootfs() + "/bin; mkdir -p " + rootfs() + "/etc");
  }
  void TearDown() override {
    KeeperFixture::TearDown();
    if (auto cgroups = Cgroups::open(cgroup_)) (void)cgroups->remove_all();
  }
  static json::Value pod(const std::string& name, const std::string& script,
                         const std::string& more = "") {
    auto value = json::parse(
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
        R"(","namespace":"default"},"spec":{"nodeName":"n1","hostNetwork":true,)" + more +
        R"("containers":[{"name":"main","image":"busybox","command":["/bin/sh","-c",")" + script +
        R"("]}]}})");
    EXPECT_TRUE(value) << value.error().message();
    return *std::move(value);
  }
};

TEST_F(AgentCrunTest, RunsAPodToItsEndAndKeepsItsLog) {
  RealNode node(folder_, cgroup_);
  (void)node.client.put(
      kPods, pod("job", "echo hello; echo oops >&2; echo why > /dev/termination-log; exit 3",
                 R"("restartPolicy":"Never",)"));
  EXPECT_EQ(node.run([&]() -> Task<> {
    const bool failed = co_await node.eventually(
        [&] { return json::string_at(node.pod("job"), {"status", "phase"}) == "Failed"; });
    EXPECT_TRUE(failed) << json::pretty(node.pod("job"));
    const json::Value c = node.container("job");
    EXPECT_EQ(json::int_at(c, {"state", "terminated", "exitCode"}), 3);
    EXPECT_EQ(json::string_at(c, {"state", "terminated", "message"}), "why\n");
    const auto access = node.agent->find("default", "job")->access("main", false);
    EXPECT_TRUE(access);
    if (access) {
      const std::string log = *io::read_file(access->log_file);
      EXPECT_THAT(log, HasSubstr(" stdout F hello\n"));
      EXPECT_THAT(log, HasSubstr(" stderr F oops\n"));
    }
    (void)co_await node.client.remove(kPods, {"default", "job"}, {});
    const bool gone = co_await node.eventually([&] { return node.agent->all().empty(); });
    EXPECT_TRUE(gone);
    co_return Unit{};
  }),
            "");
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/pods"));
}

TEST_F(AgentCrunTest, APodThatMultipliesWithoutEndIsAlone) {
  constexpr int64_t kMost = 20;
  RealNode node(folder_, cgroup_, kMost);
  (void)node.client.put(
      kPods, pod("bomb", "i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i+1)); done; exit 0",
                 R"("restartPolicy":"Never",)"));
  EXPECT_EQ(node.run([&]() -> Task<> {
    const bool failed = co_await node.eventually(
        [&] { return json::string_at(node.pod("bomb"), {"status", "phase"}) == "Failed"; });
    EXPECT_TRUE(failed) << json::pretty(node.pod("bomb"));
    const auto access = node.agent->find("default", "bomb")->access("main", false);
    EXPECT_TRUE(access);
    if (access) EXPECT_THAT(*io::read_file(access->log_file), HasSubstr("can't fork"));
    (void)co_await node.client.remove(kPods, {"default", "bomb"}, {});
    const bool gone = co_await node.eventually([&] { return node.agent->all().empty(); });
    EXPECT_TRUE(gone);
    co_return Unit{};
  }),
            "");
}

TEST_F(AgentCrunTest, KilledAtRandomMomentsItDisturbsNoContainer) {
  SeededRng rng(11);
  const json::Value web = pod("web", "i=0; while true; do echo $i; i=$((i+1)); sleep 0.02; done");
  const json::Value job = pod("job", "sleep 1; exit 5", R"("restartPolicy":"Never",)");
  std::string web_uid;
  {
    RealNode never_started(folder_, cgroup_);
    web_uid = (*never_started.client.put(kPods, web))->uid();
  }
  int pid = 0;
  for (int round = 0; round < 12; ++round) {
    const int agent = ::fork();
    if (agent == 0) {
      RealNode node(folder_, cgroup_);
      (void)node.client.put(kPods, web);
      (void)node.client.put(kPods, job);
      node.run([&]() -> Task<> {
        co_await node.timer.sleep_for(1h);
        co_return Unit{};
      });
      ::_exit(0);
    }
    ::usleep(useconds_t(50'000 + rng.below(200'000)));
    ::kill(agent, SIGKILL);
    ::waitpid(agent, nullptr, 0);
    auto all = connect().list();
    ASSERT_TRUE(all);
    for (const keeper::ContainerView& c : *all) {
      if (!c.id().starts_with(web_uid) || c.info.state != keeper::State::kRunning) continue;
      if (pid == 0) pid = c.info.pid;
      EXPECT_EQ(c.info.pid, pid) << "round " << round << ": the container was restarted";
    }
  }
  ASSERT_GT(pid, 0) << "no agent lived long enough to start anything";
  RealNode node(folder_, cgroup_);
  (void)node.client.put(kPods, web);
  (void)node.client.put(kPods, job);
  EXPECT_EQ(node.run([&]() -> Task<> {
    const bool ended = co_await node.eventually(
        [&] { return json::string_at(node.pod("job"), {"status", "phase"}) == "Failed"; });
    EXPECT_TRUE(ended) << json::pretty(node.pod("job"));
    EXPECT_EQ(json::int_at(node.container("job"), {"state", "terminated", "exitCode"}), 5)
        << "its exit code was lost";
    EXPECT_EQ(json::int_at(node.container("job"), {"restartCount"}), 0);
    const bool up = co_await node.eventually(
        [&] { return json::string_at(node.pod("web"), {"status", "phase"}) == "Running"; });
    EXPECT_TRUE(up);
    EXPECT_EQ(json::int_at(node.container("web"), {"restartCount"}), 0);
    // Its log goes on where it was: no number is missing.
    const std::string log =
        *io::read_file(node.agent->find("default", "web")->access("main", false)->log_file);
    int next = 0;
    for (size_t at = 0, end = 0; (end = log.find('\n', at)) != std::string::npos; at = end + 1) {
      const auto line = parse_log_line(std::string_view(log).substr(at, end - at));
      if (!line || line->partial) continue;
      EXPECT_EQ(std::atoi(std::string(line->text).c_str()), next) << "after " << next - 1;
      next = std::atoi(std::string(line->text).c_str()) + 1;
    }
    EXPECT_GT(next, 10);
    for (const char* name : {"web", "job"})
      (void)co_await node.client.remove(kPods, {"default", name}, {.grace_seconds = 1});
    const bool gone = co_await node.eventually([&] { return node.agent->all().empty(); });
    EXPECT_TRUE(gone);
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::node

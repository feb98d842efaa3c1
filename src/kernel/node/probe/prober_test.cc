#include "kernel/node/probe/prober.h"

#include <gtest/gtest.h>

#include "api/cache/fake_world.h"
#include "kernel/node/testing/fake_actions.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;

TEST(ProbeOf, ReadsNumbersWithTheirDefaults) {
  const json::Value c = *json::parse(
      R"({"livenessProbe":{"tcpSocket":{"port":80},"periodSeconds":3,"failureThreshold":0},)"
      R"("readinessProbe":{"exec":{},"initialDelaySeconds":7,"terminationGracePeriodSeconds":5}})");
  EXPECT_FALSE(probe_of(c, ProbeKind::kStartup));
  const auto live = probe_of(c, ProbeKind::kLiveness);
  ASSERT_TRUE(live);
  EXPECT_EQ(live->period, 3s);
  EXPECT_EQ(live->failure_threshold, 1) << "never less than one";
  EXPECT_EQ(live->timeout, 1s);
  const auto ready = probe_of(c, ProbeKind::kReadiness);
  EXPECT_EQ(ready->initial_delay, 7s);
  EXPECT_EQ(ready->grace, 5s);
}

TEST(ProbeCounter, CountsRunsOfTheSameResult) {
  ProbeSpec spec;
  spec.success_threshold = 2, spec.failure_threshold = 3;
  ProbeCounter counter(spec);
  const std::pair<bool, std::optional<bool>> steps[] = {
      {true, {}},  {true, true},   {false, {}},    {false, {}}, {true, {}},  {false, {}},
      {false, {}}, {false, false}, {false, false}, {true, {}},  {true, true}};
  for (const auto& [ok, want] : steps) EXPECT_EQ(counter.add(ok), want);
}

TEST(RunProbe, KeepsItsPace) {
  api::FakeWorld world;
  FakeActions actions(world.timer);
  ProbeSpec spec;
  spec.action = *json::parse(R"({"httpGet":{"path":"/x"}})");
  spec.initial_delay = 5s, spec.period = 2s;
  int verdicts = 0;
  EXPECT_EQ(world.run([&]() -> Task<> {
    const MonoTime begun = world.timer.monotonic();
    ProbeEvents events{[&](bool) { ++verdicts; }, [](const std::string&) {},
                       [&] { return verdicts < 3; }};
    co_await run_probe(ProbeKind::kReadiness, spec, {}, actions, world.timer, events);
    EXPECT_EQ(world.timer.monotonic() - begun, 5s + 3 * 2s);
    co_return Unit{};
  }),
            "");
  EXPECT_EQ(verdicts, 3);
}

TEST(ResolvePort, KnowsNumbersAndNames) {
  const json::Value c = *json::parse(R"({"ports":[{"name":"http","containerPort":8080}]})");
  EXPECT_EQ(*resolve_port(json::Value(80), c), 80);
  EXPECT_EQ(*resolve_port(json::Value("http"), c), 8080);
  EXPECT_EQ(*resolve_port(json::Value("9090"), c), 9090);
  EXPECT_FALSE(resolve_port(json::Value("none"), c));
  EXPECT_FALSE(resolve_port(json::Value(70'000), c));
}

}  // namespace
}  // namespace atl::node

#include "kernel/node/pod/pod_reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/node/testing/pod_fixture.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class PodReporterTest : public PodFixture {};

std::string_view quality(const json::Value& pod) {
  return json::string_at(pod, {"status", "qosClass"});
}

TEST_F(PodReporterTest, WritesTheStatusAndThenTellsWhatHappened) {
  PodReporter reporter = make_reporter();
  play([&]() -> Task<> {
    tasks_.spawn("status", [&] { return reporter.run(); });
    reporter.note(api::EventLevel::kWarning, "FailedMount", "no such secret");
    reporter.note_of("main", api::EventLevel::kNormal, "Started", "Started container main");
    reporter.note_of("first", api::EventLevel::kNormal, "Started", "Started container first");
    EXPECT_THAT(events(), ElementsAre()) << "the status comes first";
    co_await reporter.settled();
    EXPECT_EQ(quality(seen()), "BestEffort");
    co_return Unit{};
  });
  EXPECT_THAT(events(), testing::UnorderedElementsAre(
                            "FailedMount : no such secret",
                            "Started spec.containers{main}: Started container main",
                            "Started spec.initContainers{first}: Started container first"));
}

TEST_F(PodReporterTest, AStateThatPassesIsWorthNoWriteUnlessItLasts) {
  PodReporter reporter = make_reporter();
  passing_ = true;
  play([&]() -> Task<> {
    tasks_.spawn("status", [&] { return reporter.run(); });
    reporter.status_changed();
    co_await world_.timer.sleep_for(50ms);
    EXPECT_EQ(quality(seen()), "");
    co_await world_.timer.sleep_for(100ms);
    EXPECT_EQ(quality(seen()), "BestEffort");
    co_return Unit{};
  });
}

TEST_F(PodReporterTest, OfAPodThatIsGoneNothingIsWrittenAnyMore) {
  PodReporter reporter = make_reporter();
  play([&]() -> Task<> {
    (void)world_.client.drop(pods_, {"default", "a"});
    tasks_.spawn("status", [&] { return reporter.run(); });
    reporter.status_changed();
    co_await reporter.settled();
    EXPECT_EQ(times_gone_, 1) << "the API knows no such pod";
    reporter.object_is_gone();
    reporter.status_changed();
    co_await reporter.settled();
    CO_TRY_OK(co_await reporter.remove_object());
    EXPECT_EQ(times_gone_, 1);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::node

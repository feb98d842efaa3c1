#include "kernel/node/pod/pod_sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/node/testing/pod_fixture.h"

namespace atl::node {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class PodSandboxTest : public PodFixture {
 protected:
  PodReporter reporter_ = make_reporter();
  PodSandbox sandbox_{context_, *record_, reporter_, tasks_};
};

TEST_F(PodSandboxTest, TheKeeperHoldsTheNamespaceUntilThePodGoes) {
  play([&]() -> Task<> {
    co_await sandbox_.make_network();
    EXPECT_TRUE(record_->state().network_ready);
    EXPECT_EQ(record_->state().ip, "10.42.0.2");
    EXPECT_EQ(runtime_.fds.size(), 1u);
    co_await sandbox_.drain();
    co_await sandbox_.drain();
    EXPECT_THAT(network_.drained, ElementsAre(record_->spec().uid)) << "once";
    sandbox_.detach_network();
    co_await sandbox_.detached();
    EXPECT_TRUE(runtime_.fds.empty());
    EXPECT_TRUE(network_.attached.empty());
    co_return Unit{};
  });
}

TEST_F(PodSandboxTest, ANetworkThatCannotBeMadeIsToldAndTriedLaterAndLater) {
  network_.attach_error = Error(Code::kExhausted, "no address left");
  play([&]() -> Task<> {
    for (const Duration pause : {2s, 4s, 8s, 16s, 30s, 30s}) {
      EXPECT_TRUE(sandbox_.network_due());
      co_await sandbox_.make_network();
      EXPECT_FALSE(sandbox_.network_due());
      EXPECT_EQ(sandbox_.network_retry() - world_.timer.now(), pause);
      co_await world_.timer.sleep_for(pause);
    }
    EXPECT_FALSE(record_->state().network_ready);
    network_.attach_error.reset();
    co_await sandbox_.make_network();
    EXPECT_TRUE(record_->state().network_ready);
    reporter_.tell_notes();
    co_return Unit{};
  });
  EXPECT_THAT(
      events(),
      ElementsAre("FailedCreatePodSandBox : Failed to create pod sandbox: no address left"));
}

}  // namespace
}  // namespace atl::node

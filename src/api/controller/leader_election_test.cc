#include "api/controller/leader_election.h"

#include <gtest/gtest.h>

#include "api/cache/fake_world.h"

namespace atl::api {
namespace {

using namespace std::chrono_literals;

const Gvr kLeases{"coordination.k8s.io", "v1", "leases"};

TEST(MayTake, Rows) {
  struct Case {
    const char* sentence;
    LeaseView lease;
    Duration unchanged;
    bool may;
  };
  const Case cases[] = {
      {"a free lease", {"", 15s, "", 0}, 0s, true},
      {"our own", {"me", 15s, "t", 0}, 0s, true},
      {"another's that was renewed lately", {"you", 15s, "t", 0}, 14s, false},
      {"another's that ran out", {"you", 15s, "t", 0}, 15s, true},
  };
  for (const Case& c : cases) EXPECT_EQ(may_take(c.lease, "me", c.unchanged), c.may) << c.sentence;
}

class ElectionTest : public testing::Test {
 protected:
  struct Candidate {
    Candidate(FakeWorld& world, std::string name)
        : election(world.client, world.seams(), {.lease = {"kube-system", "x"}, .identity = name}) {
    }
    LeaderElection election;
    bool works = false;
  };
  // Notes that it works, until it is cancelled.
  void start(Candidate& c) {
    c.election.start([this, &c]() -> Async<void> {
      c.works = true;
      ++working_;
      most_ = std::max(most_, working_);
      co_await world_.timer.sleep_for(24h);
      c.works = false;
      --working_;
    });
  }
  FakeWorld world_;
  Candidate a_{world_, "a"}, b_{world_, "b"};
  int working_ = 0, most_ = 0;
};

TEST_F(ElectionTest, OneWorksAndTheOtherTakesOverAtOnceWhenItIsGivenBack) {
  EXPECT_EQ(world_.run([&]() -> Task<> {
    start(a_);
    start(b_);
    co_await world_.timer.sleep_for(1min);
    EXPECT_NE(a_.works, b_.works);
    EXPECT_EQ(a_.election.holder(), b_.election.holder());
    Candidate& first = a_.works ? a_ : b_;
    Candidate& second = a_.works ? b_ : a_;
    co_await first.election.stop();
    co_await world_.timer.sleep_for(5s);
    EXPECT_TRUE(second.works);
    co_await second.election.stop();
    co_return Unit{};
  }),
            "");
  EXPECT_EQ(most_, 1);
}

TEST_F(ElectionTest, AHolderThatCannotRenewStopsBeforeAnotherStarts) {
  bool cut = false;
  world_.client.set_faults([&](const FakeCall& call) -> std::optional<Fault> {
    if (cut && call.verb == "update") return Fault{};
    return std::nullopt;
  });
  EXPECT_EQ(world_.run([&]() -> Task<> {
    start(a_);
    co_await world_.timer.sleep_for(5s);
    EXPECT_TRUE(a_.works);
    start(b_);
    cut = true;
    co_await world_.timer.sleep_for(11s);
    EXPECT_FALSE(a_.works);
    EXPECT_FALSE(b_.works);
    cut = false;
    co_await world_.timer.sleep_for(1min);
    EXPECT_NE(a_.works, b_.works);
    co_await a_.election.stop();
    co_await b_.election.stop();
    co_return Unit{};
  }),
            "");
  EXPECT_EQ(most_, 1);
}

}  // namespace
}  // namespace atl::api

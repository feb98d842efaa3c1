#include "kernel/controllers/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_node.h"
#include "kernel/controllers/job_cleanup.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

class JobTest : public testing::Test {
 protected:
  JobTest() {
    cluster_.add<JobController>();
    cluster_.add<JobOrphanController>();
    cluster_.add<FinishedJobController>();
    FakeNode::Options node{.takes_unbound = true};
    node.ends_as = [this](const api::Object& pod) { return end_(pod); };
    cluster_.adopt(std::make_unique<FakeNode>(cluster_.world.client, cluster_.informers,
                                              cluster_.world.seams(), node));
  }
  void put(std::string_view spec) {
    json::Value job = manifest(
        R"({"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"work","namespace":"d"},"spec":{
            "selector":{"matchLabels":{"job":"work"}},
            "template":{"metadata":{"labels":{"job":"work"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c"}]}}}})");
    const json::Value extra = manifest(spec);
    for (const auto& [field, value] : extra.as_object()) json::set(job, {"spec", field}, value);
    ASSERT_TRUE(cluster_.world.client.put(kJobs, std::move(job)));
  }
  json::Value job() const { return cluster_.get(kJobs, {"d", "work"}); }
  bool is(std::string_view condition) const {
    return api::condition_is(json::array_at(job(), {"status", "conditions"}), condition, "True");
  }
  std::vector<std::string> tracked() const {
    std::vector<std::string> out;
    for (const json::Value& pod : cluster_.all(kPods)) {
      if (!json::array_at(pod, {"metadata", "finalizers"}).empty())
        out.emplace_back(json::string_at(pod, {"metadata", "name"}));
    }
    return out;
  }

  FakeCluster cluster_;
  std::function<std::string(const api::Object&)> end_ = [](const api::Object&) {
    return std::string("Succeeded");
  };
};

TEST_F(JobTest, CountsEachPodOnceWhateverIsLost) {
  cluster_.world.client.set_event_delay([] { return 300ms; });
  cluster_.world.client.set_faults([&](const api::FakeCall& call) -> std::optional<api::Fault> {
    if (!call.writes() || cluster_.world.rng.below(4) != 0) return std::nullopt;
    if (call.resource != kPods && call.resource != kJobs) return std::nullopt;
    return api::Fault{api::Fault::When::kAfter, Error(Code::kTimeout, "lost")};
  });
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(R"({"completions":7,"parallelism":3,"backoffLimit":3})");
    const bool ok = co_await cluster_.eventually([&] { return is("Complete"); });
    EXPECT_TRUE(ok) << json::serialize(job());
    EXPECT_EQ(json::int_at(job(), {"status", "succeeded"}), 7);
    EXPECT_EQ(json::int_at(job(), {"status", "failed"}), 0);
    EXPECT_EQ(json::int_at(job(), {"status", "active"}), 0);
    EXPECT_TRUE(json::object_at(job(), {"status", "uncountedTerminatedPods"}).empty());
    EXPECT_EQ(cluster_.all(kPods).size(), 7u);
    EXPECT_THAT(tracked(), testing::IsEmpty());
    EXPECT_NE(json::find(job(), {"status", "completionTime"}), nullptr);
    co_return Unit{};
  }),
            "");
}

TEST_F(JobTest, FailsAtItsLimit) {
  end_ = [](const api::Object&) { return std::string("Failed"); };
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(R"({"completions":1,"parallelism":1,"backoffLimit":2})");
    const bool ok = co_await cluster_.eventually([&] { return is("Failed"); });
    EXPECT_TRUE(ok) << json::serialize(job());
    EXPECT_EQ(json::int_at(job(), {"status", "failed"}), 3);
    EXPECT_THAT(
        cluster_.events(),
        testing::Contains("BackoffLimitExceeded: Job has reached the specified backoff limit"));
    EXPECT_THAT(tracked(), testing::IsEmpty());
    co_return Unit{};
  }),
            "");
}

TEST_F(JobTest, IndexedPodsKnowTheirNumber) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(R"({"completions":3,"parallelism":2,"completionMode":"Indexed"})");
    const bool ok = co_await cluster_.eventually([&] { return is("Complete"); });
    EXPECT_TRUE(ok) << json::serialize(job());
    EXPECT_EQ(json::string_at(job(), {"status", "completedIndexes"}), "0-2");
    EXPECT_EQ(json::int_at(job(), {"status", "succeeded"}), 3);
    for (const json::Value& pod : cluster_.all(kPods)) {
      const std::string index(json::string_at(
          pod, {"metadata", "annotations", "batch.kubernetes.io/job-completion-index"}));
      EXPECT_THAT(std::string(json::string_at(pod, {"metadata", "name"})),
                  testing::StartsWith("work-" + index + "-"));
      EXPECT_EQ(json::string_at(pod, {"spec", "hostname"}), "work-" + index);
      EXPECT_NE(json::serialize(pod).find("JOB_COMPLETION_INDEX"), std::string::npos);
    }
    co_return Unit{};
  }),
            "");
}

TEST_F(JobTest, SuspendedPodsLeaveUncountedAndComeBack) {
  end_ = [](const api::Object&) { return std::string(); };
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(R"({"completions":1,"parallelism":1})");
    bool ok =
        co_await cluster_.eventually([&] { return json::int_at(job(), {"status", "ready"}) == 1; });
    EXPECT_TRUE(ok);
    put(R"({"completions":1,"parallelism":1,"suspend":true})");
    ok = co_await cluster_.eventually([&] { return cluster_.all(kPods).empty(); });
    EXPECT_TRUE(ok && is("Suspended"));
    end_ = [](const api::Object&) { return std::string("Succeeded"); };
    put(R"({"completions":1,"parallelism":1,"suspend":false})");
    ok = co_await cluster_.eventually([&] { return is("Complete"); });
    EXPECT_TRUE(ok) << json::serialize(job());
    EXPECT_EQ(json::int_at(job(), {"status", "failed"}), 0);
    co_return Unit{};
  }),
            "");
}

TEST_F(JobTest, GoesWhenItsTimeIsOver) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(R"({"completions":1,"parallelism":1,"ttlSecondsAfterFinished":60})");
    bool ok = co_await cluster_.eventually([&] { return is("Complete"); });
    EXPECT_TRUE(ok);
    co_await cluster_.settle(50s);
    EXPECT_FALSE(job().is_null());
    co_await cluster_.settle(15s);
    const json::Value after = job();
    EXPECT_TRUE(after.is_null() || json::find(after, {"metadata", "deletionTimestamp"}));
    co_return Unit{};
  }),
            "");
}

TEST_F(JobTest, APodWithoutItsJobIsLetGo) {
  end_ = [](const api::Object&) { return std::string(); };
  ASSERT_TRUE(cluster_.world.client.put(
      kPods, manifest(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"left","namespace":"d",
        "finalizers":["batch.kubernetes.io/job-tracking"],
        "ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"gone","uid":"u","controller":true}]}})")));
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    const bool ok = co_await cluster_.eventually([&] { return tracked().empty(); });
    EXPECT_TRUE(ok);
    co_return Unit{};
  }),
            "");
}

}  // namespace
}  // namespace atl::controllers

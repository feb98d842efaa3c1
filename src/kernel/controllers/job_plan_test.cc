#include "kernel/controllers/job_plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/controller/conditions.h"
#include "kernel/controllers/job_policy.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

const WallTime kNow{10'000s};

JobSpec spec(std::string_view fields, std::string_view restart = "Never") {
  return JobSpec(*json::parse(
      fmt::format(R"({{"spec":{{"template":{{"spec":{{"restartPolicy":"{}"}}}}{}{}}}}})", restart,
                  fields.empty() ? "" : ",", fields)));
}

JobPod pod(std::string name, std::string phase, int64_t index = kNoIndex) {
  JobPod out;
  out.view.name = out.view.uid = std::move(name);
  out.view.phase = std::move(phase);
  out.view.ready = out.view.phase == "Running";
  out.tracked = true;
  out.index = index;
  out.ended = kNow - 1h;
  out.document = json::Object{{"metadata", json::Object{{"namespace", "d"}}}};
  return out;
}
JobPod but(JobPod pod, std::function<void(JobPod&)> change) {
  change(pod);
  return pod;
}
JobStatus status(std::function<void(JobStatus&)> change) {
  JobStatus out;
  change(out);
  return out;
}

JobSpec deleting(JobSpec spec) {
  spec.deleting = true;
  return spec;
}

// What a plan does, in one line.
std::string text(const JobPlan& plan) {
  std::string out;
  for (const JobChild& child : plan.create) {
    out += "+";
    if (child.index != kNoIndex) out += std::to_string(child.index);
    if (child.earlier_failures > 0) out += fmt::format("({})", child.earlier_failures);
    out += " ";
  }
  for (const PodView& view : plan.remove) out += "-" + view.name + " ";
  for (const PodView& view : plan.discard) out += "x" + view.name + " ";
  for (const api::ObjectKey& key : plan.release) out += "~" + key.name + " ";
  const JobStatus& s = plan.status;
  out += fmt::format("a{} s{} f{}", s.active, s.succeeded, s.failed);
  if (!s.completed.empty()) out += " done:" + s.completed.text();
  if (!s.failed_indexes.empty()) out += " lost:" + s.failed_indexes.text();
  for (const std::string& uid : s.uncounted_succeeded) out += " s:" + uid;
  for (const std::string& uid : s.uncounted_failed) out += " f:" + uid;
  for (const json::Value& condition : s.conditions) {
    out += fmt::format(" {}={}", json::string_at(condition, {"type"}),
                       json::string_at(condition, {"reason"}));
  }
  return out;
}

struct Case {
  const char* sentence;
  JobSpec spec;
  std::vector<JobPod> pods;
  std::string want;
  JobStatus status = {};
  JobBackoff backoff = {};
  std::vector<int64_t> pending = {};
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    EXPECT_EQ(text(plan(c.spec, c.status, c.pods, c.pending, c.backoff, kNow)), c.want);
  }
}

const char* const kOne = R"("completions":1,"parallelism":1)";
const char* const kThree = R"("completions":3,"parallelism":2)";
const char* const kIndexed = R"("completions":3,"parallelism":3,"completionMode":"Indexed")";

TEST(JobPlan, MakesPodsUntilEnoughSucceeded) {
  check({
      {"a new Job makes its pod", spec(kOne), {}, "+ a0 s0 f0"},
      {"one on its way is not made twice", spec(kOne), {}, "a1 s0 f0", {}, {}, {kNoIndex}},
      {"parallelism bounds", spec(kThree), {}, "+ + a0 s0 f0"},
      {"what has succeeded is not made again",
       spec(kThree),
       {pod("a", "Running")},
       "a1 s2 f0",
       status([](JobStatus& s) { s.succeeded = 2; })},
      {"an end is noted, and its finalizer goes",
       spec(kThree),
       {pod("a", "Succeeded"), pod("b", "Running")},
       "+ ~a a1 s0 f0 s:a"},
      {"without its finalizer it counts",
       spec(kThree),
       {but(pod("a", "Succeeded"), [](JobPod& p) { p.tracked = false; }), pod("b", "Running")},
       "+ a1 s1 f0",
       status([](JobStatus& s) { s.uncounted_succeeded = {"a"}; })},
      {"so does one that has gone",
       spec(kThree),
       {pod("b", "Running")},
       "+ a1 s0 f1",
       status([](JobStatus& s) { s.uncounted_failed = {"a"}; })},
      {"less parallelism takes pods away uncounted",
       spec(R"("completions":3,"parallelism":0)"),
       {pod("a", "Running")},
       "xa a1 s0 f0"},
      {"a Job that is being deleted makes nothing and lets its pods go",
       deleting(spec(kThree)),
       {pod("a", "Running")},
       "~a a1 s0 f0"},
  });
}

TEST(JobPlan, Ends) {
  const auto ended = [](const char* type, const char* reason) {
    return status([&](JobStatus& s) {
      s.start = kNow - 1min;
      s.conditions.push_back(json::Object{{"type", type}, {"status", "True"}, {"reason", reason}});
    });
  };
  check({
      {"enough: first the criteria, while a pod still counts",
       spec(kOne),
       {pod("a", "Succeeded")},
       "~a a0 s0 f0 s:a SuccessCriteriaMet=CompletionsReached"},
      {"then the end",
       spec(kOne),
       {},
       "a0 s1 f0 SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached",
       status([](JobStatus& s) { s.uncounted_succeeded = {"a"}; })},
      {"a work queue ends when one succeeded and none runs",
       spec(R"("parallelism":2)"),
       {pod("a", "Succeeded")},
       "~a a0 s0 f0 s:a SuccessCriteriaMet=CompletionsReached"},
      {"but not before",
       spec(R"("parallelism":2)"),
       {pod("a", "Succeeded"), pod("b", "Running")},
       "~a a1 s0 f0 s:a"},
      {"too many failures",
       spec(R"("completions":1,"backoffLimit":0)"),
       {pod("a", "Failed")},
       "~a a0 s0 f0 f:a FailureTarget=BackoffLimitExceeded"},
      {"what runs is ended first",
       spec(kThree),
       {pod("b", "Running")},
       "-b a1 s0 f0 FailureTarget=BackoffLimitExceeded",
       ended("FailureTarget", "BackoffLimitExceeded")},
      {"and then it has failed",
       spec(kThree),
       {},
       "a0 s0 f0 FailureTarget=BackoffLimitExceeded Failed=BackoffLimitExceeded",
       ended("FailureTarget", "BackoffLimitExceeded")},
      {"restarts in place count too",
       spec(R"("completions":1,"backoffLimit":2)", "OnFailure"),
       {but(pod("a", "Running"), [](JobPod& p) { p.restarts = 2; })},
       "-a a1 s0 f0 FailureTarget=BackoffLimitExceeded"},
      {"too long",
       spec(R"("completions":1,"activeDeadlineSeconds":60)"),
       {pod("a", "Running")},
       "-a a1 s0 f0 FailureTarget=DeadlineExceeded",
       status([](JobStatus& s) { s.start = kNow - 1min; })},
      {"what has ended stays ended", spec(kOne), {}, "a0 s0 f0 Failed=x", ended("Failed", "x")},
  });
}

TEST(JobPlan, SuspendsAndWaits) {
  check({
      {"a suspended Job makes nothing",
       spec(R"("completions":1,"suspend":true)"),
       {},
       "a0 s0 f0 Suspended=JobSuspended"},
      {"and stops what runs, uncounted",
       spec(R"("completions":1,"suspend":true)"),
       {pod("a", "Running")},
       "xa a1 s0 f0 Suspended=JobSuspended"},
      {"it goes on", spec(kOne), {}, "+ a0 s0 f0 Suspended=JobResumed", status([](JobStatus& s) {
         s.conditions.push_back(json::Object{{"type", "Suspended"}, {"status", "True"}});
       })},
      {"after a failure it waits", spec(kOne), {}, "a0 s0 f0", {}, {1, kNow - 9s}},
      {"ten seconds", spec(kOne), {}, "+ a0 s0 f0", {}, {1, kNow - 10s}},
      {"then twice as long", spec(kOne), {}, "a0 s0 f0", {}, {2, kNow - 19s}},
      {"a pod that is being deleted counts as failed",
       spec(kOne),
       {but(pod("a", "Running"), [](JobPod& p) { p.view.deleting = true; })},
       "+ ~a a0 s0 f0 f:a"},
      {"unless only the failed are replaced",
       spec(R"("completions":1,"podReplacementPolicy":"Failed")"),
       {but(pod("a", "Running"), [](JobPod& p) { p.view.deleting = true; })},
       "a0 s0 f0"},
  });
  EXPECT_EQ((JobBackoff{100, kNow}.wait(kNow)), 10min);
}

TEST(JobPlan, Indexes) {
  const char* limited =
      R"("completions":2,"parallelism":2,"completionMode":"Indexed","backoffLimit":1000,"backoffLimitPerIndex":1)";
  check({
      {"each index once", spec(kIndexed), {}, "+0 +1 +2 a0 s0 f0"},
      {"those without one", spec(kIndexed), {pod("a", "Running", 1)}, "+2 a2 s0 f0", {}, {}, {0}},
      {"a completed one is not made again",
       spec(kIndexed),
       {pod("a", "Succeeded", 1), pod("b", "Running", 0)},
       "+2 ~a a1 s1 f0 done:1"},
      {"all of them",
       spec(kIndexed),
       {},
       "a0 s3 f0 done:0-2 SuccessCriteriaMet=CompletionsReached Complete=CompletionsReached",
       status([](JobStatus& s) { s.completed = IndexSet::parse("0-2", 3); })},
      {"a failed pod stays until the next of its index knows of it",
       spec(limited),
       {pod("a", "Failed", 0), pod("b", "Running", 1)},
       "+0(1) a1 s0 f0"},
      {"then it goes and counts",
       spec(limited),
       {pod("a", "Failed", 0),
        but(pod("c", "Running", 0), [](JobPod& p) { p.earlier_failures = 1; }),
        pod("b", "Running", 1)},
       "~a a2 s0 f0 f:a"},
      {"past its limit an index is lost, and the others go on",
       spec(limited),
       {but(pod("c", "Failed", 0), [](JobPod& p) { p.earlier_failures = 1; }),
        pod("b", "Running", 1)},
       "~c a1 s0 f0 lost:0 f:c"},
      {"a Job with lost indexes fails at the end",
       spec(limited),
       {pod("b", "Succeeded", 1)},
       "~b a0 s1 f0 done:1 lost:0 FailureTarget=FailedIndexes",
       status([](JobStatus& s) { s.failed_indexes.add(0); })},
  });
}

TEST(JobPolicy, Failures) {
  const json::Value policy = *json::parse(R"({"rules":[
    {"action":"FailJob","onExitCodes":{"containerName":"main","operator":"In","values":[42]}},
    {"action":"Ignore","onPodConditions":[{"type":"DisruptionTarget","status":"True"}]},
    {"action":"FailIndex","onExitCodes":{"operator":"NotIn","values":[1,2]}}]})");
  struct Row {
    const char* sentence;
    const char* status;
    FailureAction want;
  };
  const Row rows[] = {
      {"the named exit code",
       R"({"containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":42}}}]})",
       FailureAction::kFailJob},
      {"a condition", R"({"conditions":[{"type":"DisruptionTarget","status":"True"}]})",
       FailureAction::kIgnore},
      {"of another container: any other code",
       R"({"containerStatuses":[{"name":"side","state":{"terminated":{"exitCode":42}}}]})",
       FailureAction::kFailIndex},
      {"no rule",
       R"({"containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":1}}}]})",
       FailureAction::kCount},
      {"a good end is none",
       R"({"containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":0}}}]})",
       FailureAction::kCount},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    const json::Value pod =
        json::Object{{"metadata", json::Object{{"name", "p"}, {"namespace", "d"}}},
                     {"status", *json::parse(row.status)}};
    EXPECT_EQ(judge_failure(policy, pod).action, row.want);
  }
}

TEST(JobPolicy, Success) {
  const json::Value policy = *json::parse(
      R"({"rules":[{"succeededIndexes":"0,2-4","succeededCount":2},{"succeededIndexes":"1"},{"succeededCount":4}]})");
  const std::pair<const char*, const char*> rows[] = {{"0", ""},
                                                      {"0,3", "Matched rules at index 0"},
                                                      {"1", "Matched rules at index 1"},
                                                      {"5-8", "Matched rules at index 2"}};
  for (const auto& [done, want] : rows)
    EXPECT_EQ(met_success_rule(policy, IndexSet::parse(done, 10), 10).value_or(""), want) << done;
}

TEST(IndexSet, ReadsAndWritesRanges) {
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"0", "0"},
                                                      {"0,1", "0,1"},
                                                      {"0-2", "0-2"},
                                                      {"0,1,2", "0-2"},
                                                      {"1,x,3", "1,3"},
                                                      {"5-3,4", "4"},
                                                      {"7-99", "7-9"},
                                                      {"3,1", "3"},
                                                      {"2-", ""},
                                                      {"18446744073709551616", ""}};
  for (const auto& [text, want] : rows) EXPECT_EQ(IndexSet::parse(text, 10).text(), want) << text;
  IndexSet set;
  for (const int64_t index : {4, 2, 0, 3}) EXPECT_TRUE(set.add(index));
  EXPECT_FALSE(set.add(3));
  EXPECT_EQ(set.text(), "0,2-4");
  EXPECT_EQ(set.size(), 4);
  EXPECT_TRUE(set.contains(2) && !set.contains(1));
}

}  // namespace
}  // namespace atl::controllers

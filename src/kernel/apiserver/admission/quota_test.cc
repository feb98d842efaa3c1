#include <gtest/gtest.h>

#include "kernel/apiserver/admission/limit_ranger.h"
#include "kernel/apiserver/admission/resource_quota.h"
#include "kernel/apiserver/admission/test_requests.h"
#include "kernel/apiserver/auth/fake_reader.h"

namespace atl::apiserver {
namespace {

std::string pod(std::string name, std::string resources, std::string more = "") {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
         R"(","namespace":"n1"},"spec":{)" + more + R"("containers":[{"name":"a","resources":)" +
         resources + "}]}}";
}

class Limits : public testing::Test {
 protected:
  void limit(std::string_view items) {
    reader_.put(
        "", "limitranges",
        doc(R"({"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"l","namespace":"n1"},"spec":{"limits":)" +
            std::string(items) + "}}"));
  }
  FakeReader reader_;
  LimitRanger step_{reader_};
};

TEST_F(Limits, DefaultsFillWhatIsMissing) {
  limit(
      R"([{"type":"Container","default":{"cpu":"1","memory":"1Gi"},"defaultRequest":{"cpu":"100m"}}])");
  TestRequest request(Operation::kCreate, "pods", pod("p", R"({"limits":{"cpu":"2"}})"));
  EXPECT_EQ(request.pass(step_), "");
  const json::Value& container = json::array_at(request.object, {"spec", "containers"})[0];
  EXPECT_EQ(json::string_at(container, {"resources", "limits", "cpu"}), "2");
  EXPECT_EQ(json::string_at(container, {"resources", "limits", "memory"}), "1Gi");
  EXPECT_EQ(json::string_at(container, {"resources", "requests", "cpu"}), "100m");
}

TEST_F(Limits, BoundsAreHeld) {
  limit(
      R"([{"type":"Container","min":{"cpu":"100m"},"max":{"cpu":"1"},"maxLimitRequestRatio":{"cpu":"4"}},{"type":"Pod","max":{"memory":"1Gi"}},
            {"type":"PersistentVolumeClaim","min":{"storage":"1Gi"},"max":{"storage":"5Gi"}}])");
  const std::string head = "forbidden: pods \"p\" is forbidden: ";
  struct Case {
    const char* why;
    std::string resources, want;
  };
  const std::string memory = R"(,"memory":"1Gi"})";
  const Case cases[] = {
      {"fine", R"({"requests":{"cpu":"500m")" + memory + R"(,"limits":{"cpu":"1")" + memory + "}",
       ""},
      {"too little",
       R"({"requests":{"cpu":"50m")" + memory + R"(,"limits":{"cpu":"200m")" + memory + "}",
       head + "minimum cpu usage per Container is 100m, but request is 50m"},
      {"too much", R"({"requests":{"cpu":"1")" + memory + R"(,"limits":{"cpu":"2")" + memory + "}",
       head + "maximum cpu usage per Container is 1, but limit is 2"},
      {"too steep",
       R"({"requests":{"cpu":"100m")" + memory + R"(,"limits":{"cpu":"1")" + memory + "}",
       head + "cpu max limit to request ratio per Container is 4, but provided ratio is 10.000000"},
      {"the whole pod",
       R"({"requests":{"cpu":"1","memory":"2Gi"},"limits":{"cpu":"1","memory":"2Gi"}})",
       head + "[maximum memory usage per Pod is 1Gi, but limit is 2Gi, maximum memory usage per "
              "Pod is 1Gi, but request is 2Gi]"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    TestRequest request(Operation::kCreate, "pods", pod("p", c.resources));
    EXPECT_EQ(request.pass(step_), c.want);
  }
  TestRequest claim(
      Operation::kCreate, "persistentvolumeclaims",
      R"({"metadata":{"name":"c","namespace":"n1"},"spec":{"resources":{"requests":{"storage":"9Gi"}}}})");
  EXPECT_NE(claim.pass(step_).find(
                "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 9Gi"),
            std::string::npos);
  reader_.remove("", "limitranges", {"n1", "l"});
  EXPECT_EQ(claim.pass(step_), "") << "the wall removed";
}

class Quotas : public testing::Test {
 protected:
  void quota(std::string_view hard, std::string more = "") {
    reader_.put(
        "", "resourcequotas",
        doc(R"({"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q","namespace":"n1"},"spec":{"hard":)" +
            std::string(hard) + more + "}}"));
  }
  std::string create(std::string_view resource, const std::string& text, bool stored = true) {
    TestRequest request(Operation::kCreate, resource, text);
    const std::string refused = request.pass(step_);
    if (!refused.empty()) return refused;
    if (stored) {
      const size_t dot = resource.find('.');
      reader_.put(dot == std::string_view::npos ? "" : std::string(resource.substr(dot + 1)),
                  std::string(resource.substr(0, dot)), request.object);
    }
    step_.finished(request.request, stored);
    return {};
  }
  FakeReader reader_;
  ResourceQuotaAdmission step_{reader_};
};

TEST_F(Quotas, CountObjectsAndTheirNeeds) {
  quota(R"({"pods":"2","requests.cpu":"1"})");
  EXPECT_EQ(create("pods", pod("a", R"({"requests":{"cpu":"600m"}})")), "");
  EXPECT_EQ(create("pods", pod("b", R"({"requests":{"cpu":"600m"}})")),
            "forbidden: pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, "
            "used: requests.cpu=600m, limited: requests.cpu=1");
  EXPECT_EQ(create("pods", pod("c", R"({"requests":{"cpu":"400m"}})")), "");
  EXPECT_NE(create("pods", pod("d", R"({"requests":{"cpu":"0"}})"))
                .find("requested: pods=1, used: pods=2, limited: pods=2"),
            std::string::npos);
  reader_.remove("", "pods", {"n1", "a"});
  EXPECT_EQ(create("pods", pod("d", R"({"requests":{"cpu":"600m"}})")), "")
      << "a deleted pod gives back";
  reader_.remove("", "resourcequotas", {"n1", "q"});
  EXPECT_EQ(create("pods", pod("e", "{}")), "") << "the wall removed";
}

TEST_F(Quotas, MissingSharesAreNamed) {
  quota(R"({"limits.memory":"1Gi","requests.cpu":"1"})");
  EXPECT_EQ(create("pods", pod("a", "{}")),
            "forbidden: pods \"a\" is forbidden: failed quota: q: must specify limits.memory for: "
            "a; requests.cpu for: a");
}

TEST_F(Quotas, RequestsUnderWayCount) {
  quota(R"({"pods":"1"})");
  TestRequest first(Operation::kCreate, "pods", pod("a", "{}"));
  TestRequest second(Operation::kCreate, "pods", pod("b", "{}"));
  EXPECT_EQ(first.pass(step_), "");
  EXPECT_NE(second.pass(step_), "");
  step_.finished(first.request, false);
  EXPECT_EQ(second.pass(step_), "") << "the first one failed after all";
}

TEST_F(Quotas, CommittedButUnsettledCountsOnce) {
  quota(R"({"pods":"2"})");
  TestRequest first(Operation::kCreate, "pods", pod("a", "{}"));
  EXPECT_EQ(first.pass(step_), "");
  reader_.put("", "pods", first.object);
  EXPECT_EQ(create("pods", pod("b", "{}")), "");
  step_.finished(first.request, true);
  EXPECT_NE(create("pods", pod("c", "{}")), "");
}

TEST_F(Quotas, CountAnyKindAndServicesBySort) {
  quota(R"({"count/deployments.apps":"1","services.nodeports":"1","secrets":"0"})");
  const std::string deployment =
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","namespace":"n1"}})";
  EXPECT_EQ(create("deployments.apps", deployment), "");
  EXPECT_NE(
      create(
          "deployments.apps",
          R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"e","namespace":"n1"}})"),
      "");
  EXPECT_NE(
      create(
          "services",
          R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s","namespace":"n1"},"spec":{"type":"NodePort","ports":[{"port":1},{"port":2}]}})")
          .find("services.nodeports=2"),
      std::string::npos);
  EXPECT_EQ(
      create(
          "services",
          R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s","namespace":"n1"},"spec":{"ports":[{"port":1}]}})"),
      "");
  EXPECT_NE(
      create("secrets",
             R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"n1"}})"),
      "");
}

TEST_F(Quotas, ScopesChoosePods) {
  quota(R"({"pods":"0"})", R"(,"scopes":["BestEffort"])");
  EXPECT_NE(create("pods", pod("a", "{}")), "");
  EXPECT_EQ(create("pods", pod("b", R"({"requests":{"cpu":"1"}})")), "");
}

TEST_F(Quotas, UsedIsShownForEveryKey) {
  quota(R"({"pods":"5","requests.memory":"2Gi","configmaps":"3"})");
  EXPECT_EQ(create("pods", pod("a", R"({"requests":{"memory":"512Mi"}})")), "");
  const ResourceAmounts used = step_.used(reader_.get("", "resourcequotas", {"n1", "q"})->parse());
  EXPECT_EQ(used.at("pods").text(), "1");
  EXPECT_EQ(used.at("requests.memory").text(), "512Mi");
  EXPECT_EQ(used.at("configmaps").text(), "0");
}

TEST(PodAmounts, SidecarsInitContainersAndOverhead) {
  const json::Value spec = doc(R"({"overhead":{"cpu":"100m"},
      "initContainers":[{"name":"s","restartPolicy":"Always","resources":{"requests":{"cpu":"200m"}}},{"name":"i","resources":{"requests":{"cpu":"2"}}}],
      "containers":[{"name":"a","resources":{"requests":{"cpu":"1"}}}]})");
  EXPECT_EQ(pod_amounts(spec, "requests").at("cpu").text(),
            "2300m");  // 200m + 2 while starting, 1.2 later, and the overhead
}

}  // namespace
}  // namespace atl::apiserver

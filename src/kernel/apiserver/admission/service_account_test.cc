#include "kernel/apiserver/admission/service_account.h"

#include <gtest/gtest.h>

#include "base/async/task_group.h"
#include "kernel/apiserver/admission/test_requests.h"
#include "kernel/apiserver/auth/fake_reader.h"

namespace atl::apiserver {
namespace {

class ServiceAccounts : public testing::Test {
 protected:
  void account(std::string_view text) { reader_.put("", "serviceaccounts", doc(text)); }
  FakeReader reader_;
  SimTimer timer_;
  SeededRng rng_{2};
  ServiceAccountAdmission step_{reader_, timer_, rng_};
};

constexpr const char* kPlain =
    R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"containers":[{"name":"a"}],"initContainers":[{"name":"i"}]}})";
constexpr const char* kDefault =
    R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default","namespace":"n1"}})";

TEST_F(ServiceAccounts, PodGetsTheDefaultAccountAndItsToken) {
  account(kDefault);
  TestRequest pod(Operation::kCreate, "pods", kPlain);
  EXPECT_EQ(pod.pass(step_), "");
  EXPECT_EQ(json::string_at(pod.object, {"spec", "serviceAccountName"}), "default");
  EXPECT_EQ(json::string_at(pod.object, {"spec", "serviceAccount"}), "default");
  const json::Value& volume = json::array_at(pod.object, {"spec", "volumes"}).at(0);
  const std::string_view name = json::string_at(volume, {"name"});
  EXPECT_TRUE(name.starts_with("kube-api-access-"));
  EXPECT_EQ(name.size(), std::string_view("kube-api-access-xxxxx").size());
  const json::Array& sources = json::array_at(volume, {"projected", "sources"});
  ASSERT_EQ(sources.size(), 3U);
  EXPECT_EQ(json::int_at(sources[0], {"serviceAccountToken", "expirationSeconds"}), 3607);
  EXPECT_EQ(json::string_at(sources[1], {"configMap", "name"}), "kube-root-ca.crt");
  EXPECT_EQ(json::int_at(volume, {"projected", "defaultMode"}), 420);
  for (const char* list : {"containers", "initContainers"}) {
    const json::Value& mount =
        json::array_at(json::array_at(pod.object, {"spec", list}).at(0), {"volumeMounts"}).at(0);
    EXPECT_EQ(json::string_at(mount, {"name"}), name);
    EXPECT_EQ(json::string_at(mount, {"mountPath"}),
              "/var/run/secrets/kubernetes.io/serviceaccount");
    EXPECT_TRUE(json::bool_at(mount, {"readOnly"}));
  }
}

TEST_F(ServiceAccounts, PodOrAccountMayDeclineTheToken) {
  account(
      R"({"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"default","namespace":"n1"},"automountServiceAccountToken":false})");
  TestRequest plain(Operation::kCreate, "pods", kPlain);
  EXPECT_EQ(plain.pass(step_), "");
  EXPECT_TRUE(json::array_at(plain.object, {"spec", "volumes"}).empty());
  TestRequest insists(
      Operation::kCreate, "pods",
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"automountServiceAccountToken":true,"containers":[{"name":"a"}]}})");
  EXPECT_EQ(insists.pass(step_), "");
  EXPECT_EQ(json::array_at(insists.object, {"spec", "volumes"}).size(), 1U);
}

TEST_F(ServiceAccounts, OwnMountsStayAndPullSecretsAreCopied) {
  account(
      R"({"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"bot","namespace":"n1"},"imagePullSecrets":[{"name":"reg"}]})");
  TestRequest pod(
      Operation::kCreate, "pods",
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"serviceAccountName":"bot","containers":[{"name":"a",
                      "volumeMounts":[{"name":"own","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]}]}})");
  EXPECT_EQ(pod.pass(step_), "");
  EXPECT_TRUE(json::array_at(pod.object, {"spec", "volumes"}).empty()) << "nobody would use it";
  EXPECT_EQ(
      json::string_at(json::array_at(pod.object, {"spec", "imagePullSecrets"}).at(0), {"name"}),
      "reg");
}

TEST_F(ServiceAccounts, MissingAccountIsRefusedInKubernetesWords) {
  TestRequest pod(
      Operation::kCreate, "pods",
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"serviceAccountName":"bot","containers":[{"name":"a"}]}})");
  EXPECT_EQ(pod.pass(step_),
            "forbidden: pods \"p\" is forbidden: error looking up service account n1/bot: "
            "serviceaccount \"bot\" not found");
}

TEST_F(ServiceAccounts, DefaultAccountOfAFreshNamespaceIsWaitedFor) {
  TestRequest pod(Operation::kCreate, "pods", kPlain);
  asio::io_context loop;
  bool ended = false;
  const auto ran = run_simulated(loop, timer_, std::chrono::seconds(5), [&]() -> Task<> {
    TaskGroup tasks(loop.get_executor());
    tasks.spawn("controller", [&]() -> Async<void> {
      const bool slept = co_await timer_.sleep_for(std::chrono::milliseconds(300));
      if (slept) account(kDefault);
    });
    auto mutated = co_await step_.mutate(pod.request);
    ended = mutated.has_value();
    co_await tasks.stop();
    co_return Unit{};
  });
  EXPECT_TRUE(ran.has_value());
  EXPECT_TRUE(ended);
}

TEST_F(ServiceAccounts, WaitEndsAfterASecond) {
  TestRequest pod(Operation::kCreate, "pods", kPlain);
  asio::io_context loop;
  const auto start = timer_.monotonic();
  const auto ran = run_simulated(loop, timer_, std::chrono::seconds(5), [&]() -> Task<> {
    auto mutated = co_await step_.mutate(pod.request);
    EXPECT_FALSE(mutated.has_value());
    co_return Unit{};
  });
  EXPECT_TRUE(ran.has_value());
  EXPECT_EQ(timer_.monotonic() - start, std::chrono::seconds(1));
}

TEST_F(ServiceAccounts, MirrorPodsUseNeitherAccountsNorSecrets) {
  const std::string head =
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1","annotations":{"kubernetes.io/config.mirror":"x"}},"spec":)";
  TestRequest plain(Operation::kCreate, "pods", head + R"({"containers":[{"name":"a"}]}})");
  EXPECT_EQ(plain.pass(step_), "");
  EXPECT_EQ(json::find(plain.object, {"spec", "serviceAccountName"}), nullptr);
  TestRequest account_user(Operation::kCreate, "pods",
                           head + R"({"serviceAccountName":"x","containers":[{"name":"a"}]}})");
  EXPECT_NE(account_user.pass(step_).find("a mirror pod may not reference service accounts"),
            std::string::npos);
  TestRequest secret(Operation::kCreate, "pods",
                     head + R"({"volumes":[{"name":"s","secret":{"secretName":"s"}}]}})");
  EXPECT_NE(secret.pass(step_).find("a mirror pod may not reference secrets"), std::string::npos);
}

}  // namespace
}  // namespace atl::apiserver

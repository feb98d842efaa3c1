#include "kernel/controllers/namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/controller/conditions.h"
#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_kinds.h"
#include "kernel/controllers/fake_node.h"
#include "kernel/controllers/service_account.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;

class NamespaceTest : public testing::Test {
 protected:
  NamespaceTest() {
    cluster_.add<NamespaceController, std::reference_wrapper<const KindSource>>(
        std::cref<KindSource>(kinds_));
    cluster_.add<ServiceAccountController>();
    cluster_.add<RootCaPublisher>(std::string("PEM"));
    cluster_.adopt(std::make_unique<FakeNode>(cluster_.world.client, cluster_.informers,
                                              cluster_.world.seams(), FakeNode::Options{}));
  }
  void put(const api::Gvr& resource, std::string_view text) {
    ASSERT_TRUE(cluster_.world.client.put(resource, manifest(text)));
  }
  bool there(const api::Gvr& resource, const api::ObjectKey& key) const {
    return cluster_.world.client.peek(resource, key) != nullptr;
  }
  FakeKinds kinds_;
  FakeCluster cluster_;
};

TEST_F(NamespaceTest, IsFurnishedAndPutRight) {
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(kNamespaces, R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"d"}})");
    co_await cluster_.settle(1s);
    EXPECT_TRUE(there(kServiceAccounts, {"d", "default"}));
    EXPECT_EQ(
        json::string_at(cluster_.get(kConfigMaps, {"d", "kube-root-ca.crt"}), {"data", "ca.crt"}),
        "PEM");
    put(kConfigMaps,
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kube-root-ca.crt","namespace":"d"},"data":{"ca.crt":"evil"}})");
    EXPECT_TRUE(cluster_.world.client.drop(kServiceAccounts, {"d", "default"}));
    co_await cluster_.settle(1s);
    EXPECT_TRUE(there(kServiceAccounts, {"d", "default"}));
    EXPECT_EQ(
        json::string_at(cluster_.get(kConfigMaps, {"d", "kube-root-ca.crt"}), {"data", "ca.crt"}),
        "PEM");
    co_return Unit{};
  }),
            "");
}

TEST_F(NamespaceTest, GoesWithAllItHolds) {
  bool secret_while_pod = true;
  EXPECT_EQ(cluster_.run([&]() -> Task<> {
    put(kNamespaces, R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"d"}})");
    put(kNamespaces, R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"e"}})");
    put(kPods,
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"d"},"spec":{"nodeName":"n1"}})");
    put(kSecrets, R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"d"}})");
    put(kSecrets, R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"e"}})");
    kinds_.put({"example.com", "v1", "widgets"}, "Widget", true, true);
    put({"example.com", "v1", "widgets"},
        R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","namespace":"d","finalizers":["example.com/hold"]}})");
    co_await cluster_.settle(5s);
    CO_TRY_OK(co_await cluster_.world.client.remove(kNamespaces, {"", "d"}, {}));
    const bool pod_gone = co_await cluster_.eventually([&] {
      const bool pod = there(kPods, {"d", "p"});
      if (pod) secret_while_pod = secret_while_pod && there(kSecrets, {"d", "s"});
      return !pod;
    });
    EXPECT_TRUE(pod_gone);
    const auto finalizers = [&]() -> std::string {
      const json::Value space = cluster_.get(kNamespaces, {"", "d"});
      const json::Value* c = api::find_condition(json::array_at(space, {"status", "conditions"}),
                                                 "NamespaceFinalizersRemaining");
      return c ? std::string(json::string_at(*c, {"message"})) : "";
    };
    const bool told = co_await cluster_.eventually([&] {
      return finalizers() ==
             "Some content in the namespace has finalizers remaining: example.com/hold in 1 "
             "resource instances";
    });
    EXPECT_TRUE(told) << finalizers();
    EXPECT_TRUE(cluster_.world.client.drop({"example.com", "v1", "widgets"}, {"d", "w"}));
    const bool gone = co_await cluster_.eventually([&] { return !there(kNamespaces, {"", "d"}); });
    EXPECT_TRUE(gone);
    EXPECT_TRUE(there(kSecrets, {"e", "s"}));
    EXPECT_FALSE(there(kSecrets, {"d", "s"}));
    EXPECT_FALSE(there(kServiceAccounts, {"d", "default"}));
    co_return Unit{};
  }),
            "");
  EXPECT_TRUE(secret_while_pod) << "what pods use stays until they have ended";
}

}  // namespace
}  // namespace atl::controllers

// Authentication hooks, RBAC, admission and hooks of kinds together, behind the whole API server.
#include <gtest/gtest.h>

#include "kernel/apiserver/admission/install.h"
#include "kernel/apiserver/admission/quota_reporter.h"
#include "kernel/apiserver/auth/bootstrap_roles.h"
#include "kernel/apiserver/auth/install.h"
#include "kernel/apiserver/auth/node_authorizer.h"
#include "kernel/apiserver/auth/role_aggregator.h"
#include "kernel/apiserver/system/system_objects.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";

// Passes questions on to the authorizer that is made once the cache is loaded.
class Forward final : public Authorizer {
 public:
  Task<Decision> authorize(Attributes attributes) override {
    co_return co_await target->authorize(std::move(attributes));
  }
  Authorizer* target = nullptr;
};

class WholeServer : public testing::Test {
 protected:
  // A server with its bootstrap objects and the namespace n1 with its default account.
  void run(std::function<Task<>()> body) {
    harness_.run([&]() -> Task<> {
      admin_ = harness_.server->client_as({.name = "admin", .groups = {"system:masters"}}, "test");
      CO_TRY_OK(co_await ensure_system_objects(*admin_, {"10.96.0.1", "192.0.2.1", 6443}));
      CO_TRY(std::vector<json::Value> roles, bootstrap_roles());
      CO_TRY_OK(co_await reconcile_bootstrap_roles(*admin_, roles));
      const auto ns =
          co_await post("/api/v1/namespaces",
                        R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n1"}})");
      EXPECT_EQ(ns->status, 201) << ns->body;
      const auto account = co_await post(
          "/api/v1/namespaces/n1/serviceaccounts",
          R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})");
      EXPECT_EQ(account->status, 201) << account->body;
      co_return co_await body();
    });
  }
  Async<Harness::ReplyPtr> post(std::string path, std::string body, std::string user = {}) {
    net::Headers headers;
    if (!user.empty()) headers = {{"x-test-user", user}, {"x-test-group", "system:authenticated"}};
    co_return co_await harness_.call("POST", std::move(path), std::move(body), std::move(headers));
  }
  Async<void> expect(int status, std::string method, std::string path, std::string body = {}) {
    const auto reply = co_await harness_.call(std::move(method), std::move(path), std::move(body));
    EXPECT_EQ(reply->status, status) << reply->body;
  }
  static json::Value parsed(const Harness::ReplyPtr& reply) {
    auto document = json::parse(reply->body);
    EXPECT_TRUE(document.has_value()) << reply->body;
    return document ? *document : json::Value();
  }
  static std::string message(const Harness::ReplyPtr& reply) {
    return std::string(json::string_at(parsed(reply), {"message"}));
  }

  void prepare(Harness& harness) {
    rbac_ = std::make_unique<RbacAuthorizer>(*harness.cache);
    nodes_ =
        std::make_unique<NodeAuthorizer>(*harness.cache, *bootstrap_rules("system:node"), *rbac_);
    forward_.target = nodes_.get();
    tokens_ = std::make_unique<ServiceAccountTokens>(*harness.cache, harness.timer, harness.rng,
                                                     crypto::PrivateKey::generate(),
                                                     TokenSettings{.issuer = kIssuer});
    quota_ = &add_admission(harness.admission,
                            {*harness.cache, harness.timer, harness.rng, forward_, *rbac_});
    add_kind_hooks(harness.hooks, *harness.cache, harness.rng,
                   {.cluster_ips = *AddressRange::parse("10.96.0.0/16")});
    add_auth_hooks(harness.hooks, {forward_, *rbac_, *tokens_, *harness.cache});
  }

  Forward forward_;
  std::unique_ptr<RbacAuthorizer> rbac_;
  std::unique_ptr<NodeAuthorizer> nodes_;
  std::unique_ptr<ServiceAccountTokens> tokens_;
  ResourceQuotaAdmission* quota_ = nullptr;
  Harness harness_{
      {.authorizer = &forward_, .before_start = [this](Harness& harness) { prepare(harness); }}};
  std::unique_ptr<api::Client> admin_;
};

constexpr const char* kPods = "/api/v1/namespaces/n1/pods";
constexpr const char* kPod =
    R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"nginx:1","resources":{"limits":{"cpu":"1"}}}]}})";

TEST_F(WholeServer, PodIsCompleteWhenItIsMade) {
  run([&]() -> Task<> {
    const auto reply = co_await post(kPods, kPod);
    EXPECT_EQ(reply->status, 201) << reply->body;
    const json::Value pod = parsed(reply);
    EXPECT_EQ(json::string_at(pod, {"spec", "serviceAccountName"}), "default");
    EXPECT_EQ(json::array_at(pod, {"spec", "tolerations"}).size(), 2U);
    EXPECT_EQ(json::array_at(pod, {"spec", "volumes"}).size(), 1U);
    EXPECT_EQ(json::int_at(pod, {"spec", "priority"}, -1), 0);
    EXPECT_EQ(json::string_at(pod, {"spec", "preemptionPolicy"}), "PreemptLowerPriority");
    EXPECT_TRUE(json::bool_at(pod, {"spec", "enableServiceLinks"}));
    EXPECT_EQ(json::string_at(pod, {"spec", "dnsPolicy"}), "ClusterFirst");
    EXPECT_EQ(json::string_at(pod, {"status", "phase"}), "Pending");
    const json::Value& container = json::array_at(pod, {"spec", "containers"}).at(0);
    EXPECT_EQ(json::string_at(container, {"imagePullPolicy"}), "IfNotPresent");
    EXPECT_EQ(json::string_at(container, {"resources", "requests", "cpu"}), "1");
    co_return Unit{};
  });
}

TEST_F(WholeServer, BadObjectsAreNamedFieldByField) {
  run([&]() -> Task<> {
    const auto mount = co_await post(
        kPods,
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"x","volumeMounts":[{"name":"v","mountPath":"/v"}]}]}})");
    EXPECT_EQ(mount->status, 422);
    EXPECT_EQ(message(mount),
              "Pod \"p\" is invalid: spec.containers[0].volumeMounts[0].name: Not found: \"v\"");
    const auto deployment = co_await post(
        "/apis/apps/v1/namespaces/n1/deployments",
        R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"c"}},"spec":{"containers":[{"name":"a","image":"x"}]}}}})");
    EXPECT_EQ(deployment->status, 422);
    EXPECT_EQ(message(deployment),
              "Deployment.apps \"d\" is invalid: spec.template.metadata.labels: Invalid value: "
              "{\"a\":\"c\"}: `selector` does not match template `labels`");
    const auto account = co_await post(
        kPods,
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"serviceAccountName":"ghost","containers":[{"name":"a","image":"x"}]}})");
    EXPECT_EQ(account->status, 403);
    EXPECT_EQ(message(account),
              "pods \"p\" is forbidden: error looking up service account n1/ghost: serviceaccount "
              "\"ghost\" not found");
    const auto nowhere = co_await post("/api/v1/namespaces/nowhere/pods", kPod);
    EXPECT_EQ(nowhere->status, 404);
    EXPECT_EQ(message(nowhere), "namespaces \"nowhere\" not found");
    co_return Unit{};
  });
}

TEST_F(WholeServer, RightsComeAndGoWithBindings) {
  run([&]() -> Task<> {
    const auto refused = co_await post(kPods, kPod, "jane");
    EXPECT_EQ(refused->status, 403);
    EXPECT_EQ(message(refused),
              "pods is forbidden: User \"jane\" cannot create resource \"pods\" in API group \"\" "
              "in the namespace \"n1\"");
    const auto bound = co_await post(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/rolebindings",
        R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"jane"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[{"kind":"User","name":"jane"}]})");
    EXPECT_EQ(bound->status, 201) << bound->body;
    const auto allowed = co_await post(kPods, kPod, "jane");
    EXPECT_EQ(allowed->status, 201) << allowed->body;
    const auto asked = co_await post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        R"({"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"namespace":"n1","verb":"create","resource":"pods"}}})",
        "jane");
    EXPECT_TRUE(json::bool_at(parsed(asked), {"status", "allowed"})) << asked->body;
    const auto rules = co_await post(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        R"({"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","spec":{"namespace":"n1"}})",
        "jane");
    EXPECT_FALSE(json::array_at(parsed(rules), {"status", "resourceRules"}).empty()) << rules->body;
    const auto higher = co_await post(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/rolebindings",
        R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"up"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"jane"}]})",
        "jane");
    EXPECT_EQ(higher->status, 403) << "edit may not write bindings";
    const auto removed = co_await harness_.call(
        "DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/rolebindings/jane");
    EXPECT_EQ(removed->status, 200);
    const auto again =
        co_await harness_.call("GET", std::string(kPods) + "/p", "", {{"x-test-user", "jane"}});
    EXPECT_EQ(again->status, 403);
    co_return Unit{};
  });
}

TEST_F(WholeServer, AdminsOfANamespaceHandOutWhatTheyHoldAndNoMore) {
  run([&]() -> Task<> {
    const std::string bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/n1/rolebindings";
    const auto binding = [](std::string name, std::string role, std::string user) {
      return R"({"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":")" +
             name +
             R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":")" +
             role + R"("},"subjects":[{"kind":"User","name":")" + user + R"("}]})";
    };
    co_await expect(201, "POST", bindings, binding("a", "admin", "ann"));
    const auto fine = co_await post(bindings, binding("b", "view", "bob"), "ann");
    EXPECT_EQ(fine->status, 201) << fine->body;
    const auto too_much = co_await post(bindings, binding("c", "cluster-admin", "bob"), "ann");
    EXPECT_EQ(too_much->status, 403);
    EXPECT_NE(message(too_much).find("is attempting to grant RBAC permissions not currently held"),
              std::string::npos)
        << too_much->body;
    const auto moved = co_await harness_.call("PUT", bindings + "/b", binding("b", "edit", "bob"));
    EXPECT_EQ(moved->status, 422);
    EXPECT_NE(message(moved).find("cannot change roleRef"), std::string::npos);
    co_return Unit{};
  });
}

TEST_F(WholeServer, TokensAreMadeAndKnown) {
  run([&]() -> Task<> {
    const auto made = co_await post(
        "/api/v1/namespaces/n1/serviceaccounts/default/token",
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":700}})");
    EXPECT_EQ(made->status, 201) << made->body;
    const std::string token(json::string_at(parsed(made), {"status", "token"}));
    const auto verified = tokens_->verify(token, {});
    EXPECT_TRUE(verified.has_value());
    EXPECT_EQ(verified ? verified->user.name : "", "system:serviceaccount:n1:default");
    const auto reviewed = co_await post(
        "/apis/authentication.k8s.io/v1/tokenreviews",
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":")" +
            token + "\"}}");
    EXPECT_TRUE(json::bool_at(parsed(reviewed), {"status", "authenticated"})) << reviewed->body;
    EXPECT_EQ(json::string_at(parsed(reviewed), {"status", "user", "username"}),
              "system:serviceaccount:n1:default");
    const auto brief = co_await post(
        "/api/v1/namespaces/n1/serviceaccounts/default/token",
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":10}})");
    EXPECT_EQ(brief->status, 422);
    EXPECT_NE(message(brief).find("may not specify a duration less than 10 minutes"),
              std::string::npos);
    const auto ghost = co_await post(
        "/api/v1/namespaces/n1/serviceaccounts/default/token",
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"ghost"}}})");
    EXPECT_EQ(ghost->status, 404) << ghost->body;
    co_return Unit{};
  });
}

TEST_F(WholeServer, StrangersCheckTokensByThePublishedKeys) {
  run([&]() -> Task<> {
    const auto keys = co_await harness_.call("GET", "/openid/v1/jwks");
    EXPECT_EQ(keys->status, 200) << keys->body;
    const auto set = crypto::JwkSet::parse(keys->body);
    const auto token = tokens_->issue({.account = {"n1", "default"}, .account_uid = "u"});
    EXPECT_TRUE(
        set && set->verify(token.token.reveal(), {.issuer = kIssuer, .now = harness_.timer.now()}));
    const auto configuration = co_await harness_.call("GET", "/.well-known/openid-configuration");
    EXPECT_EQ(json::string_at(parsed(configuration), {"jwks_uri"}),
              std::string(kIssuer) + "/openid/v1/jwks");
    const auto refused =
        co_await harness_.call("GET", "/openid/v1/jwks", "", {{"x-test-user", "jane"}});
    EXPECT_EQ(refused->status, 403) << "for service accounts and whoever gets the role";
    co_return Unit{};
  });
}

TEST_F(WholeServer, BoundTokenEndsWithItsPod) {
  run([&]() -> Task<> {
    co_await expect(201, "POST", kPods, kPod);
    const auto made = co_await post(
        "/api/v1/namespaces/n1/serviceaccounts/default/token",
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3607,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}}})");
    EXPECT_EQ(made->status, 201) << made->body;
    EXPECT_EQ(json::int_at(parsed(made), {"spec", "expirationSeconds"}), 3607);
    const std::string token(json::string_at(parsed(made), {"status", "token"}));
    harness_.timer.advance(std::chrono::hours(24));
    EXPECT_TRUE(tokens_->verify(token, {}).has_value())
        << "an automounted token lives longer than it promises";
    co_await expect(200, "DELETE", std::string(kPods) + "/p");
    EXPECT_FALSE(tokens_->verify(token, {}).has_value());
    co_return Unit{};
  });
}

TEST_F(WholeServer, ServicesGetAddressesAndGiveThemBack) {
  run([&]() -> Task<> {
    const std::string path = "/api/v1/namespaces/n1/services";
    const auto made = co_await post(
        path,
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}})");
    EXPECT_EQ(made->status, 201) << made->body;
    const std::string ip(json::string_at(parsed(made), {"spec", "clusterIP"}));
    const std::string twin =
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"t"},"spec":{"clusterIP":")" +
        ip + R"(","ports":[{"port":80}]}})";
    const auto taken = co_await post(path, twin);
    EXPECT_EQ(taken->status, 422);
    EXPECT_NE(message(taken).find("provided IP is already allocated"), std::string::npos)
        << taken->body;
    const auto dry = co_await post(
        path + "?dryRun=All",
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"u"},"spec":{"clusterIP":"10.96.7.7","ports":[{"port":80}]}})");
    EXPECT_EQ(dry->status, 201) << dry->body;
    const auto real = co_await post(
        path,
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"u"},"spec":{"clusterIP":"10.96.7.7","ports":[{"port":80}]}})");
    EXPECT_EQ(real->status, 201) << "a dry run keeps nothing: " << real->body;
    co_await expect(200, "DELETE", path + "/s");
    co_await expect(201, "POST", path, twin);
    const auto kubernetes =
        co_await harness_.call("GET", "/api/v1/namespaces/default/services/kubernetes");
    EXPECT_EQ(json::string_at(parsed(kubernetes), {"spec", "clusterIP"}), "10.96.0.1");
    co_return Unit{};
  });
}

TEST_F(WholeServer, QuotaHoldsForManyAtOnceAndIsShown) {
  run([&]() -> Task<> {
    QuotaReporter reporter(harness_.loop.get_executor(), harness_.timer, *harness_.cache, *admin_,
                           *quota_);
    reporter.start();
    co_await expect(
        201, "POST", "/api/v1/namespaces/n1/resourcequotas",
        R"({"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"q"},"spec":{"hard":{"configmaps":"3"}}})");
    int made = 0;
    for (int i = 0; i < 6; ++i) {
      const auto reply =
          co_await post("/api/v1/namespaces/n1/configmaps",
                        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c)" +
                            std::to_string(i) + "\"}}");
      if (reply->status == 201)
        ++made;
      else
        EXPECT_NE(message(reply).find("exceeded quota: q, requested: configmaps=1, used: "
                                      "configmaps=3, limited: configmaps=3"),
                  std::string::npos)
            << reply->body;
    }
    EXPECT_EQ(made, 3);
    const bool slept = co_await harness_.timer.sleep_for(std::chrono::seconds(3));
    EXPECT_TRUE(slept);
    const auto quota = co_await harness_.call("GET", "/api/v1/namespaces/n1/resourcequotas/q");
    EXPECT_EQ(json::string_at(parsed(quota), {"status", "used", "configmaps"}), "3") << quota->body;
    co_await reporter.stop();
    co_return Unit{};
  });
}

TEST_F(WholeServer, AggregatedRolesShowWhatTheyCollect) {
  run([&]() -> Task<> {
    RoleAggregator aggregator(harness_.loop.get_executor(), harness_.timer, *harness_.cache,
                              *admin_, rbac_->index());
    CO_TRY_OK(co_await aggregator.sync());
    const auto view =
        co_await harness_.call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view");
    EXPECT_GT(json::array_at(parsed(view), {"rules"}).size(), 5U);
    co_return Unit{};
  });
}

TEST_F(WholeServer, ANodeReadsWhatItsPodsUse) {
  run([&]() -> Task<> {
    const net::Headers node{{"x-test-user", "system:node:n1"}, {"x-test-group", "system:nodes"}};
    for (const char* name : {"used", "other"}) {
      co_await expect(201, "POST", "/api/v1/namespaces/n1/secrets",
                      R"({"metadata":{"name":")" + std::string(name) + R"("}})");
    }
    co_await expect(
        201, "POST", kPods,
        R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"x","envFrom":[{"secretRef":{"name":"used"}}]}]}})");
    const std::string used = "/api/v1/namespaces/n1/secrets/used";
    const auto early = co_await harness_.call("GET", used, "", node);
    EXPECT_EQ(early->status, 403) << "the pod waits for a node";
    co_await expect(201, "POST", std::string(kPods) + "/p/binding",
                    R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":"n1"}})");
    const auto read = co_await harness_.call("GET", used, "", node);
    EXPECT_EQ(read->status, 200) << read->body;
    const auto other =
        co_await harness_.call("GET", "/api/v1/namespaces/n1/secrets/other", "", node);
    EXPECT_EQ(message(other),
              "secrets \"other\" is forbidden: User \"system:node:n1\" cannot get resource "
              "\"secrets\" in API group \"\" in the namespace \"n1\": no relationship found "
              "between node 'n1' and this object");
    const auto all = co_await harness_.call("GET", "/api/v1/secrets", "", node);
    EXPECT_EQ(all->status, 403);
    const auto own =
        co_await harness_.call("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", "", node);
    EXPECT_EQ(json::array_at(parsed(own), {"items"}).size(), 1U) << own->body;
    co_await expect(200, "DELETE", std::string(kPods) + "/p?gracePeriodSeconds=0");
    const auto late = co_await harness_.call("GET", used, "", node);
    EXPECT_EQ(late->status, 403) << "the pod is gone";
    co_return Unit{};
  });
}

TEST_F(WholeServer, SecondStartChangesNoRole) {
  run([&]() -> Task<> {
    const Revision before = harness_.cache->changed("rbac.authorization.k8s.io", "clusterroles");
    CO_TRY(std::vector<json::Value> roles, bootstrap_roles());
    CO_TRY_OK(co_await reconcile_bootstrap_roles(*admin_, roles));
    EXPECT_EQ(harness_.cache->changed("rbac.authorization.k8s.io", "clusterroles").value,
              before.value);
    co_return Unit{};
  });
}

TEST_F(WholeServer, SystemNamespacesStay) {
  run([&]() -> Task<> {
    const auto reply = co_await harness_.call("DELETE", "/api/v1/namespaces/kube-system");
    EXPECT_EQ(reply->status, 403);
    EXPECT_EQ(message(reply),
              "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

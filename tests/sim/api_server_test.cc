// The control plane over the real API server in this process, with the real roles: what the fake
// lets pass may be refused here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "api/controller/conditions.h"
#include "kernel/apiserver/admission/install.h"
#include "kernel/apiserver/auth/bootstrap_roles.h"
#include "kernel/apiserver/auth/rbac_authorizer.h"
#include "kernel/apiserver/system/system_objects.h"
#include "kernel/apiserver/testing/harness.h"
#include "kernel/controllers/fake_node.h"
#include "kernel/controllers/manager.h"
#include "kernel/scheduler/scheduler.h"

namespace atl::sim {
namespace {

using namespace std::chrono_literals;
using namespace apiserver;
using namespace controllers;

// RBAC needs the cache, which the harness opens later.
class LateAuthorizer final : public Authorizer {
 public:
  std::unique_ptr<RbacAuthorizer> rbac;
  Task<Decision> authorize(Attributes attributes) override {
    return rbac->authorize(std::move(attributes));
  }
};

class ApiServerTest : public testing::Test {
 protected:
  // Bootstraps, starts the control plane, runs the body, stops.
  void run(std::function<Task<>()> body) {
    harness_.run([&, body]() -> Task<> {
      admin_ = harness_.server->client_as({.name = "admin", .groups = {std::string(kGroupMasters)}},
                                          "test");
      CO_TRY_OK(co_await ensure_system_objects(*admin_, {"10.96.0.1", "192.0.2.1", 6443}));
      CO_TRY(auto roles, bootstrap_roles());
      CO_TRY_OK(co_await reconcile_bootstrap_roles(*admin_, std::move(roles)));
      CO_TRY_OK(co_await start());
      Result<> done = co_await body();
      co_await stop();
      co_return done;
    });
  }
  Task<> start() {
    seams_ = {harness_.loop.get_executor(), &harness_.timer, &harness_.rng};
    watcher_ = as("system:kube-controller-manager", {});
    informers_ = std::make_unique<api::InformerSet>(*watcher_, *seams_);
    kinds_ = std::make_unique<KindSetSource>(harness_.kinds);
    manager_ = std::make_unique<Manager>(
        [this](std::string_view account) -> api::Client& { return *account_client(account); },
        *informers_, *seams_, *kinds_, Manager::Options{.root_ca_pem = "CA", .only = {}});
    scheduler_client_ = as("system:kube-scheduler", {});
    events_ =
        std::make_unique<api::EventRecorder>(*scheduler_client_, *seams_, "default-scheduler");
    scheduler_ = std::make_unique<scheduler::Scheduler>(*scheduler_client_, *informers_, *seams_,
                                                        *events_, scheduler::Scheduler::Options{});
    node_ = std::make_unique<FakeNode>(*admin_, *informers_, *seams_, FakeNode::Options{});
    node_loop_ =
        std::make_unique<api::ControllerLoop>(*node_, *seams_, api::ControllerLoop::Options{});
    informers_->start();
    manager_->start();
    scheduler_->start();
    node_loop_->start();
    co_return co_await add_node();
  }
  Task<> add_node() {
    CO_TRY_OK(co_await admin_->create(
        kNodes, "", *json::parse(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}})"),
        {}));
    CO_TRY(const api::ObjectPtr node, co_await admin_->get(kNodes, {"", "n1"}));
    json::Value document = node->parse();
    document.as_object()["status"] =
        *json::parse(R"({"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"},
      "capacity":{"cpu":"4","memory":"8Gi","pods":"110"},"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]})");
    api::WriteOptions status;
    status.subresource = "status";
    CO_TRY_OK(co_await admin_->update(kNodes, {"", "n1"}, std::move(document), status));
    co_return Unit{};
  }
  Async<void> stop() {
    co_await manager_->stop();
    co_await scheduler_->stop();
    co_await events_->stop();
    co_await node_loop_->stop();
    co_await informers_->stop();
  }
  std::unique_ptr<api::Client> as(std::string user, std::vector<std::string> groups) {
    groups.emplace_back(kGroupAuthenticated);
    return harness_.server->client_as({.name = user, .uid = "", .groups = std::move(groups)}, user);
  }
  api::Client* account_client(std::string_view account) {
    auto& slot = accounts_[std::string(account)];
    if (!slot) {
      slot = as("system:serviceaccount:kube-system:" + std::string(account),
                {"system:serviceaccounts", "system:serviceaccounts:kube-system"});
    }
    return slot.get();
  }
  Async<json::Value> get(api::Gvr resource, api::ObjectKey key) {
    const Result<api::ObjectPtr> found = co_await admin_->get(resource, key);
    co_return found ? (*found)->parse() : json::Value();
  }
  Async<size_t> count(api::Gvr resource, std::string ns) {
    api::ListOptions options;
    options.ns = ns;
    const Result<api::ObjectList> list = co_await admin_->list(resource, options);
    EXPECT_TRUE(list) << resource.group_resource() << ": " << list.error().message();
    co_return list ? list->items.size() : 999;
  }
  // Polls in virtual time.
  Async<bool> becomes(std::function<Async<bool>()> condition) {
    for (int i = 0; i < 600; ++i) {
      const bool holds = co_await condition();
      if (holds) co_return true;
      co_await harness_.timer.sleep_for(100ms);
    }
    co_return false;
  }
  // Every controller is up, and none was refused anything.
  void expect_healthy() {
    manager_->for_each([](const api::ControllerLoop& loop) {
      EXPECT_TRUE(loop.synced()) << loop.health();
      EXPECT_EQ(loop.stats().last_error, "") << loop.health();
    });
    EXPECT_EQ(scheduler_->stats().last_error, "");
  }

  void install(Harness& h) {
    authorizer_.rbac = std::make_unique<RbacAuthorizer>(*h.cache);
    add_kind_hooks(h.hooks, *h.cache, h.rng, {.cluster_ips = *AddressRange::parse("10.96.0.0/16")});
    add_admission(h.admission, {*h.cache, h.timer, h.rng, authorizer_, *authorizer_.rbac});
  }

  LateAuthorizer authorizer_;
  Harness harness_{Harness::Setup{.authorizer = &authorizer_,
                                  .before_start = [this](Harness& h) { install(h); }}};
  std::optional<api::Seams> seams_;
  std::unique_ptr<api::Client> admin_, watcher_, scheduler_client_;
  std::map<std::string, std::unique_ptr<api::Client>> accounts_;
  std::unique_ptr<api::InformerSet> informers_;
  std::unique_ptr<KindSetSource> kinds_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<api::EventRecorder> events_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::unique_ptr<FakeNode> node_;
  std::unique_ptr<api::ControllerLoop> node_loop_;
};

json::Value deployment(std::string_view image) {
  json::Value out = *json::parse(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"default"},
    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
      "spec":{"containers":[{"name":"c","image":"","ports":[{"name":"http","containerPort":8080}]}]}}}})");
  out.at("spec").at("template").at("spec").at("containers").at(0).as_object()["image"] = image;
  return out;
}

TEST_F(ApiServerTest, ADeploymentFromManifestToNothing) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await admin_->create(kDeployments, "default", deployment("one"), {}));
    CO_TRY_OK(co_await admin_->create(kServices, "default",
                                      *json::parse(R"({"apiVersion":"v1","kind":"Service",
      "metadata":{"name":"web","namespace":"default"},"spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":"http"}]}})"),
                                      {}));
    const auto rolled_out = [&](std::string revision) -> Async<bool> {
      const json::Value d = co_await get(kDeployments, {"default", "web"});
      const json::Value* progress =
          api::find_condition(json::array_at(d, {"status", "conditions"}), "Progressing");
      co_return json::int_at(d, {"status", "availableReplicas"}) == 3 &&
          json::int_at(d, {"status", "updatedReplicas"}) == 3 &&
          json::int_at(d, {"status", "replicas"}) == 3 &&
          progress&& json::string_at(*progress, {"reason"}) == "NewReplicaSetAvailable" &&
          json::string_at(d, {"metadata", "annotations", "deployment.kubernetes.io/revision"}) ==
              revision;
    };
    const std::function<Async<bool>()> first = [&] { return rolled_out("1"); };
    bool ok = co_await becomes(first);
    EXPECT_TRUE(ok);
    const json::Value pods = co_await get(kEndpoints, {"default", "web"});
    const json::Array& subsets = json::array_at(pods, {"subsets"});
    EXPECT_EQ(subsets.empty() ? 0u : json::array_at(subsets[0], {"addresses"}).size(), 3u);
    const size_t slices = co_await count(kEndpointSlices, "default");
    EXPECT_EQ(slices, 2u);  // web and kubernetes

    CO_TRY_OK(co_await admin_->patch(
        kDeployments, {"default", "web"}, api::PatchType::kStrategic,
        *json::parse(
            R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"two"}]}}}})"),
        {}));
    const std::function<Async<bool>()> second = [&] { return rolled_out("2"); };
    ok = co_await becomes(second);
    EXPECT_TRUE(ok);
    expect_healthy();

    CO_TRY_OK(co_await admin_->remove(kDeployments, {"default", "web"}, {}));
    const std::function<Async<bool>()> gone = [&]() -> Async<bool> {
      const size_t sets = co_await count(kReplicaSets, "default");
      const size_t left = co_await count(kPods, "default");
      co_return sets == 0 && left == 0;
    };
    ok = co_await becomes(gone);
    EXPECT_TRUE(ok);
    expect_healthy();
    co_return Unit{};
  });
}

TEST_F(ApiServerTest, APodThatDoesNotFitSaysSo) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await admin_->create(
        kPods, "default", *json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"big"},
      "spec":{"containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"64"}}}]}})"),
        {}));
    co_await harness_.timer.sleep_for(5s);
    const json::Value pod = co_await get(kPods, {"default", "big"});
    const json::Value* condition =
        api::find_condition(json::array_at(pod, {"status", "conditions"}), "PodScheduled");
    EXPECT_TRUE(condition);
    if (condition)
      EXPECT_EQ(json::string_at(*condition, {"message"}),
                "0/1 nodes are available: 1 Insufficient cpu.");
    CO_TRY(const api::ObjectList events, co_await admin_->list({"", "v1", "events"}, {}));
    EXPECT_TRUE(
        std::any_of(events.items.begin(), events.items.end(), [](const api::ObjectPtr& event) {
          return event->text().find("0/1 nodes are available: 1 Insufficient cpu.") !=
                 std::string::npos;
        }));
    expect_healthy();
    co_return Unit{};
  });
}

TEST_F(ApiServerTest, AStatefulSetComesAndGoesInOrder) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await admin_->create(kStatefulSets, "default", *json::parse(R"({
      "apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"default"},
      "spec":{"serviceName":"db","replicas":2,"selector":{"matchLabels":{"app":"db"}},
        "template":{"metadata":{"labels":{"app":"db"}},"spec":{"containers":[{"name":"c","image":"i"}]}},
        "volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],
          "resources":{"requests":{"storage":"1Gi"}}}}]}})"),
                                      {}));
    const std::function<Async<bool>()> ready = [&]() -> Async<bool> {
      const json::Value set = co_await get(kStatefulSets, {"default", "db"});
      co_return json::int_at(set, {"status", "readyReplicas"}) == 2 &&
          json::string_at(set, {"status", "currentRevision"}) ==
              json::string_at(set, {"status", "updateRevision"});
    };
    bool ok = co_await becomes(ready);
    EXPECT_TRUE(ok);
    CO_TRY_OK(co_await admin_->get(kPersistentVolumeClaims, {"default", "data-db-1"}));
    expect_healthy();
    api::DeleteOptions foreground;
    foreground.propagation = "Foreground";
    CO_TRY_OK(co_await admin_->remove(kStatefulSets, {"default", "db"}, foreground));
    const std::function<Async<bool>()> gone = [&]() -> Async<bool> {
      const json::Value set = co_await get(kStatefulSets, {"default", "db"});
      const size_t pods = co_await count(kPods, "default");
      co_return set.is_null() && pods == 0;
    };
    ok = co_await becomes(gone);
    EXPECT_TRUE(ok);
    const size_t revisions = co_await count(kControllerRevisions, "default");
    EXPECT_EQ(revisions, 0u);
    expect_healthy();
    co_return Unit{};
  });
}

TEST_F(ApiServerTest, ANamespaceGoesWithAllItHoldsCustomKindsIncluded) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await admin_->create({"apiextensions.k8s.io", "v1", "customresourcedefinitions"},
                                      "", *json::parse(R"({
      "apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.example.com"},
      "spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
        "versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}})"),
                                      {}));
    CO_TRY_OK(co_await admin_->create(
        kNamespaces, "",
        *json::parse(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"team"}})"), {}));
    co_await harness_.timer.sleep_for(2s);
    CO_TRY_OK(co_await admin_->get(kServiceAccounts, {"team", "default"}));
    CO_TRY_OK(co_await admin_->get(kConfigMaps, {"team", "kube-root-ca.crt"}));
    json::Value app = deployment("one");
    json::set(app, {"metadata", "namespace"}, json::Value("team"));
    CO_TRY_OK(co_await admin_->create(kDeployments, "team", std::move(app), {}));
    CO_TRY(
        const api::ObjectPtr owner,
        co_await admin_->create(
            {"example.com", "v1", "widgets"}, "team",
            *json::parse(
                R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","namespace":"team"}})"),
            {}));
    json::Value child = *json::parse(
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"child","namespace":"team","ownerReferences":[
      {"apiVersion":"example.com/v1","kind":"Widget","name":"w"}]}})");
    child.at("metadata").at("ownerReferences").at(0).as_object()["uid"] = owner->uid();
    CO_TRY_OK(co_await admin_->create(kConfigMaps, "team", std::move(child), {}));
    co_await harness_.timer.sleep_for(20s);
    CO_TRY_OK(co_await admin_->get(kConfigMaps, {"team", "child"}));
    CO_TRY_OK(co_await admin_->remove({"example.com", "v1", "widgets"}, {"team", "w"}, {}));
    const std::function<Async<bool>()> child_gone = [&]() -> Async<bool> {
      const json::Value map = co_await get(kConfigMaps, {"team", "child"});
      co_return map.is_null();
    };
    bool ok = co_await becomes(child_gone);
    EXPECT_TRUE(ok);

    CO_TRY_OK(co_await admin_->remove(kNamespaces, {"", "team"}, {}));
    const std::function<Async<bool>()> space_gone = [&]() -> Async<bool> {
      const json::Value space = co_await get(kNamespaces, {"", "team"});
      co_return space.is_null();
    };
    ok = co_await becomes(space_gone);
    EXPECT_TRUE(ok);
    const size_t pods = co_await count(kPods, "team");
    EXPECT_EQ(pods, 0u);
    expect_healthy();
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::sim

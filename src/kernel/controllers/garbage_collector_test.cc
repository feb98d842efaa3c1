#include "kernel/controllers/garbage_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"
#include "kernel/controllers/fake_kinds.h"

namespace atl::controllers {
namespace {

using namespace std::chrono_literals;
using Act = OwnerVerdict::Act;

const api::Gvr kWidgets{"example.com", "v1", "widgets"};
const api::Gvr kDefinitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions"};

TEST(OwnerVerdict, Rows) {
  struct Case {
    const char* sentence;
    std::vector<OwnerState> owners;
    bool dependents;
    Act act;
    size_t dropped;
    const char* propagation;
  };
  using enum OwnerState;
  const Case cases[] = {
      {"without owners it stays", {}, false, Act::kKeep, 0, ""},
      {"an owner keeps it", {kSolid}, false, Act::kKeep, 0, ""},
      {"one owner is enough; the others' references go",
       {kSolid, kGone, kWaiting},
       false,
       Act::kDropReferences,
       2,
       ""},
      {"without any it goes", {kGone, kGone}, true, Act::kDelete, 0, "Background"},
      {"below an owner that waits the tree goes bottom up",
       {kWaiting},
       true,
       Act::kDelete,
       0,
       "Foreground"},
      {"a leaf just goes", {kWaiting}, false, Act::kDelete, 0, "Background"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    OwnedNode object;
    for (size_t i = 0; i < c.owners.size(); ++i)
      object.owners.push_back({"v1", "ConfigMap", "o", std::to_string(i), false, false});
    const OwnerVerdict verdict = judge(object, c.owners, c.dependents);
    EXPECT_EQ(verdict.act, c.act);
    EXPECT_EQ(verdict.drop.size(), c.dropped);
    EXPECT_EQ(verdict.propagation, c.propagation);
  }
}

class GarbageTest : public testing::Test {
 protected:
  GarbageTest()
      : collector_(cluster_.add<GarbageCollector, std::reference_wrapper<const KindSource>>(
            std::cref<KindSource>(kinds_))) {}

  api::ObjectPtr put(const api::Gvr& resource, std::string kind, std::string ns, std::string name,
                     std::vector<api::ObjectPtr> owners = {}, bool blocks = true) {
    json::Object meta{{"name", name}};
    if (!ns.empty()) meta["namespace"] = ns;
    json::Array refs;
    for (const api::ObjectPtr& owner : owners) {
      refs.push_back(json::Object{{"apiVersion", owner->header().gvk.group_version().text()},
                                  {"kind", owner->header().gvk.kind},
                                  {"name", owner->name()},
                                  {"uid", owner->uid()},
                                  {"blockOwnerDeletion", blocks}});
    }
    if (!refs.empty()) meta["ownerReferences"] = std::move(refs);
    const api::GroupVersion gv = resource.group_version();
    return *cluster_.world.client.put(
        resource,
        json::Object{{"apiVersion", gv.text()}, {"kind", kind}, {"metadata", std::move(meta)}});
  }
  api::ObjectPtr map(std::string name, std::vector<api::ObjectPtr> owners = {},
                     bool blocks = true) {
    return put(kConfigMaps, "ConfigMap", "d", std::move(name), std::move(owners), blocks);
  }
  bool there(const std::string& name) const {
    return cluster_.world.client.peek(kConfigMaps, {"d", name}) != nullptr;
  }
  Task<> remove(std::string name, std::string propagation) {
    api::DeleteOptions options;
    options.propagation = propagation;
    co_return co_await cluster_.world.client.remove(kConfigMaps, {"d", name}, options);
  }
  void run(std::function<Task<>()> body) {
    EXPECT_EQ(cluster_.run([&]() -> Task<> {
      co_await cluster_.settle(2s);
      Result<> result = co_await body();
      co_await collector_.stop();
      co_return result;
    }),
              "");
  }
  FakeKinds kinds_;
  FakeCluster cluster_;
  GarbageCollector& collector_;
};

TEST_F(GarbageTest, BackgroundTakesTheTree) {
  const auto root = map("root");
  const auto child = map("child", {root});
  map("leaf", {child});
  map("other");
  run([&]() -> Task<> {
    CO_TRY_OK(co_await remove("root", "Background"));
    co_await cluster_.settle();
    EXPECT_FALSE(there("child"));
    EXPECT_FALSE(there("leaf"));
    EXPECT_TRUE(there("other"));
    co_return Unit{};
  });
}

TEST_F(GarbageTest, ForegroundWaitsForWhatBlocks) {
  const auto root = map("root");
  const auto child = map("child", {root});
  map("leaf", {child});
  map("loose", {root}, false);
  std::vector<std::string> order;
  cluster_.world.client.set_faults([&](const api::FakeCall&) -> std::optional<api::Fault> {
    for (const char* name : {"root", "child", "leaf"}) {
      if (!there(name) && std::find(order.begin(), order.end(), name) == order.end())
        order.push_back(name);
    }
    return std::nullopt;
  });
  run([&]() -> Task<> {
    CO_TRY_OK(co_await remove("root", "Foreground"));
    EXPECT_TRUE(there("root"));
    co_await cluster_.settle();
    EXPECT_FALSE(there("root"));
    EXPECT_FALSE(there("loose"));
    const auto poke = co_await cluster_.world.client.get(kConfigMaps, {"d", "root"});
    EXPECT_FALSE(poke);
    co_return Unit{};
  });
  EXPECT_THAT(order, testing::ElementsAre("leaf", "child", "root"));
}

TEST_F(GarbageTest, OrphansLiveOn) {
  const auto root = map("root");
  map("child", {root});
  run([&]() -> Task<> {
    CO_TRY_OK(co_await remove("root", "Orphan"));
    co_await cluster_.settle();
    EXPECT_FALSE(there("root"));
    EXPECT_TRUE(there("child"));
    EXPECT_TRUE(cluster_.world.client.peek(kConfigMaps, {"d", "child"})->header().owners.empty());
    co_return Unit{};
  });
}

TEST_F(GarbageTest, TwoOwnersKeepItUntilBothAreGone) {
  const auto a = map("a"), b = map("b");
  map("child", {a, b});
  run([&]() -> Task<> {
    CO_TRY_OK(co_await remove("a", "Background"));
    co_await cluster_.settle();
    EXPECT_TRUE(there("child"));
    EXPECT_EQ(cluster_.world.client.peek(kConfigMaps, {"d", "child"})->header().owners.size(), 1u);
    CO_TRY_OK(co_await remove("b", "Background"));
    co_await cluster_.settle();
    EXPECT_FALSE(there("child"));
    co_return Unit{};
  });
}

TEST_F(GarbageTest, AnOwnerOfTheSameNameButAnotherUidIsNotTheOwner) {
  const auto root = map("root");
  ASSERT_TRUE(cluster_.world.client.drop(kConfigMaps, {"d", "root"}));
  map("root");
  map("child", {root});
  run([&]() -> Task<> {
    co_await cluster_.settle();
    EXPECT_FALSE(there("child"));
    EXPECT_TRUE(there("root"));
    co_return Unit{};
  });
}

TEST_F(GarbageTest, AnOwnerInAnotherNamespaceIsNoOwnerAndThatIsTold) {
  const auto root = put(kConfigMaps, "ConfigMap", "elsewhere", "root");
  map("child", {root});
  run([&]() -> Task<> {
    co_await cluster_.settle();
    EXPECT_FALSE(there("child"));
    co_return Unit{};
  });
  EXPECT_THAT(cluster_.events(),
              testing::Contains(testing::StartsWith("OwnerRefInvalidNamespace:")));
}

TEST_F(GarbageTest, AnOwnerOfUnknownKindIsNeverTakenForGone) {
  const auto widget = put(kWidgets, "Widget", "d", "w");
  map("child", {widget});
  run([&]() -> Task<> {
    co_await cluster_.settle(1h);
    EXPECT_TRUE(there("child"));
    // The kind appears; then its object goes.
    kinds_.put(kWidgets, "Widget", true, true);
    put(kDefinitions, "CustomResourceDefinition", "", "widgets.example.com");
    co_await cluster_.settle();
    EXPECT_TRUE(there("child"));
    api::DeleteOptions options;
    CO_TRY_OK(co_await cluster_.world.client.remove(kWidgets, {"d", "w"}, options));
    co_await cluster_.settle();
    EXPECT_FALSE(there("child"));
    co_return Unit{};
  });
}

TEST_F(GarbageTest, CustomKindsComeAndGo) {
  run([&]() -> Task<> {
    kinds_.put(kWidgets, "Widget", true, true);
    put(kDefinitions, "CustomResourceDefinition", "", "widgets.example.com");
    const auto root = map("root");
    put(kWidgets, "Widget", "d", "w", {root});
    co_await cluster_.settle();
    CO_TRY_OK(co_await remove("root", "Background"));
    co_await cluster_.settle();
    EXPECT_TRUE(cluster_.world.client.peek_all(kWidgets).empty());
    kinds_.remove(kWidgets);
    EXPECT_TRUE(cluster_.world.client.drop(kDefinitions, {"", "widgets.example.com"}));
    co_await cluster_.settle();
    co_return Unit{};
  });
}

TEST_F(GarbageTest, AnObjectMadeForAnOwnerThatWasJustDeletedGoes) {
  const auto root = map("root");
  run([&]() -> Task<> {
    CO_TRY_OK(co_await remove("root", "Background"));
    co_await cluster_.settle();
    map("late", {root});
    co_await cluster_.settle();
    EXPECT_FALSE(there("late"));
    EXPECT_EQ(collector_.graph().dependents(root->uid()).size(), 0u);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::controllers

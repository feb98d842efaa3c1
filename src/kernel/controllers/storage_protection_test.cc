#include "kernel/controllers/storage_protection.h"

#include <gtest/gtest.h>

#include "kernel/controllers/fake_cluster.h"

namespace atl::controllers {
namespace {

TEST(ClaimsOf, Rows) {
  struct Case {
    const char* sentence;
    const char* pod;
    std::vector<std::string> want;
  };
  const Case cases[] = {
      {"a pod without a node holds nothing",
       R"({"spec":{"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]}})",
       {}},
      {"a volume names its claim",
       R"({"spec":{"nodeName":"n","volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}},{"name":"e","emptyDir":{}}]}})",
       {"c"}},
      {"an ephemeral volume's claim is named after pod and volume",
       R"({"metadata":{"name":"p"},"spec":{"nodeName":"n","volumes":[{"name":"v","ephemeral":{}}]}})",
       {"p-v"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sentence);
    EXPECT_EQ(claims_of(manifest(c.pod)), c.want);
  }
}

TEST(StorageProtection, GoesWhenNobodyHoldsIt) {
  FakeCluster cluster;
  cluster.add<ClaimProtectionController>();
  cluster.add<VolumeProtectionController>();
  api::FakeClient& client = cluster.world.client;
  const auto put = [&](const api::Gvr& gvr, const char* text) {
    ASSERT_TRUE(client.put(gvr, manifest(text)));
  };
  put(kPersistentVolumeClaims,
      R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"held","namespace":"d","finalizers":["kubernetes.io/pvc-protection"]}})");
  put(kPersistentVolumeClaims,
      R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"free","namespace":"d","finalizers":["kubernetes.io/pvc-protection","mine/other"]}})");
  put(kPersistentVolumes,
      R"({"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv","finalizers":["kubernetes.io/pv-protection"]},"status":{"phase":"Bound"}})");
  put(kPods,
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"d"},"spec":{"nodeName":"n","volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"held"}}]}})");
  const std::string error = cluster.run([&]() -> Task<> {
    CO_TRY_OK(co_await client.remove(kPersistentVolumeClaims, {"d", "held"}, {}));
    CO_TRY_OK(co_await client.remove(kPersistentVolumeClaims, {"d", "free"}, {}));
    CO_TRY_OK(co_await client.remove(kPersistentVolumes, {"", "pv"}, {}));
    co_await cluster.settle();
    EXPECT_FALSE(cluster.get(kPersistentVolumeClaims, {"d", "held"}).is_null());
    EXPECT_EQ(json::serialize(json::array_at(cluster.get(kPersistentVolumeClaims, {"d", "free"}),
                                             {"metadata", "finalizers"})),
              R"(["mine/other"])")
        << "other finalizers are not ours to remove";
    EXPECT_FALSE(cluster.get(kPersistentVolumes, {"", "pv"}).is_null()) << "it is bound";

    api::DeleteOptions now;
    now.grace_seconds = 0;
    CO_TRY_OK(co_await client.remove(kPods, {"d", "p"}, now));
    json::Value volume = cluster.get(kPersistentVolumes, {"", "pv"});
    json::set(volume, {"status", "phase"}, json::Value("Released"));
    api::WriteOptions status;
    status.subresource = "status";
    CO_TRY_OK(co_await client.update(kPersistentVolumes, {"", "pv"}, std::move(volume), status));
    const bool gone = co_await cluster.eventually([&] {
      return cluster.get(kPersistentVolumeClaims, {"d", "held"}).is_null() &&
             cluster.get(kPersistentVolumes, {"", "pv"}).is_null();
    });
    EXPECT_TRUE(gone);
    co_return Unit{};
  });
  EXPECT_EQ(error, "");
}

}  // namespace
}  // namespace atl::controllers

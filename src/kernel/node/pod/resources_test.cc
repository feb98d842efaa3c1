#include "kernel/node/pod/resources.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace atl::node {
namespace {

constexpr int64_t kMi = 1 << 20;

struct Case {
  const char* name;
  const char* spec;
  uint64_t want_shares;
  std::optional<int64_t> want_quota_us;
  std::optional<int64_t> want_memory;
};

const Case kCases[] = {
    {"best effort: the least share, no limit", R"("containers":[{"name":"a"}])", 2, {}, {}},
    {"containers run side by side",
     R"("containers":[
        {"name":"a","resources":{"limits":{"cpu":"500m","memory":"64Mi"},"requests":{"cpu":"250m"}}},
        {"name":"b","resources":{"limits":{"cpu":"1","memory":"32Mi"},"requests":{"cpu":"750m"}}}])",
     1'024, 150'000, 96 * kMi},
    {"a request that is not said is the limit",
     R"("containers":[{"name":"a","resources":{"limits":{"cpu":"2","memory":"1Mi"}}}])", 2'048,
     200'000, kMi},
    {"one container without a limit and the pod has none",
     R"("containers":[{"name":"a","resources":{"limits":{"cpu":"1","memory":"64Mi"}}},
        {"name":"b","resources":{"limits":{"memory":"64Mi"}}}])",
     1'024,
     {},
     128 * kMi},
    {"an init container without one as well",
     R"("initContainers":[{"name":"i"}],
        "containers":[{"name":"a","resources":{"limits":{"cpu":"1","memory":"64Mi"}}}])",
     1'024,
     {},
     {}},
    {"init containers run one by one: the largest counts where it is the most",
     R"("initContainers":[
        {"name":"i","resources":{"limits":{"cpu":"2","memory":"8Mi"}}},
        {"name":"j","resources":{"limits":{"cpu":"1","memory":"100Mi"}}}],
        "containers":[{"name":"a","resources":{"limits":{"cpu":"1","memory":"64Mi"}}}])",
     2'048, 200'000, 100 * kMi},
    {"a sidecar runs beside what comes after it",
     R"("initContainers":[
        {"name":"i","resources":{"limits":{"cpu":"1","memory":"90Mi"}}},
        {"name":"s","restartPolicy":"Always","resources":{"limits":{"cpu":"1","memory":"16Mi"}}},
        {"name":"j","resources":{"limits":{"cpu":"1","memory":"80Mi"}}}],
        "containers":[{"name":"a","resources":{"limits":{"cpu":"2","memory":"64Mi"}}}])",
     3'072, 300'000, 96 * kMi},
    {"the overhead comes on top of limits and requests",
     R"("overhead":{"cpu":"250m","memory":"10Mi"},
        "containers":[{"name":"a","resources":{"limits":{"cpu":"750m","memory":"64Mi"}}}])",
     1'024, 100'000, 74 * kMi},
    {"a quota is never below what the kernel takes",
     R"("containers":[{"name":"a","resources":{"limits":{"cpu":"1m","memory":"1Mi"}}}])", 2, 1'000,
     kMi},
};

TEST(PodResources, AreTheMostThatIsNeededAtAnyTime) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    auto document =
        json::parse(std::string(R"({"metadata":{"name":"p","uid":"u"},"spec":{)") + c.spec + "}}");
    ASSERT_TRUE(document) << document.error().message();
    const auto pod = read_pod(*std::move(document));
    ASSERT_TRUE(pod) << pod.error().message();
    const PodResources got = pod_resources(**pod);
    EXPECT_EQ(got.cpu_shares, c.want_shares);
    EXPECT_EQ(got.cpu_quota_us, c.want_quota_us);
    EXPECT_EQ(got.memory_limit, c.want_memory);
  }
}

}  // namespace
}  // namespace atl::node

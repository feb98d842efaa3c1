#include "kernel/apiserver/system/dns_service.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "api/client/fake_client.h"
#include "base/async/run.h"

namespace atl::apiserver {
namespace {

TEST(DnsService, IsMadeOnceAndItsEndpointFollowsTheConfiguration) {
  asio::io_context loop;
  SimTimer timer;
  SeededRng rng(1);
  api::FakeClient client(timer, rng);
  for (const char* endpoint : {"169.254.20.1", "169.254.21.1"}) {
    loop.restart();
    const auto done = run(loop, [&]() -> Task<> {
      co_return co_await ensure_dns_service(client, "10.96.0.10", endpoint);
    });
    ASSERT_TRUE(done.has_value()) << done.error().message();
    const api::ObjectKey key{"kube-system", "kube-dns"};
    const auto service = client.peek({"", "v1", "services"}, key);
    ASSERT_NE(service, nullptr);
    EXPECT_EQ(json::string_at(service->parse(), {"spec", "clusterIP"}), "10.96.0.10");
    const auto slice = client.peek({"discovery.k8s.io", "v1", "endpointslices"}, key);
    ASSERT_NE(slice, nullptr);
    EXPECT_EQ(api::label(slice->header().labels, "kubernetes.io/service-name"), "kube-dns");
    const json::Value document = slice->parse();
    const json::Array& endpoints = json::array_at(document, {"endpoints"});
    ASSERT_EQ(endpoints.size(), 1u);
    EXPECT_EQ(json::array_at(endpoints[0], {"addresses"})[0].get_string(), endpoint);
  }
}

}  // namespace
}  // namespace atl::apiserver

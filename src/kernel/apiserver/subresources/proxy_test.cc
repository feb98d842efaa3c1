#include "kernel/apiserver/subresources/proxy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace atl::apiserver {
namespace {

TEST(ProxyName, Forms) {
  const std::pair<const char*, const char*> rows[] = {
      {"web", "http web "},
      {"web:80", "http web 80"},
      {"web:http", "http web http"},
      {"https:web:443", "https web 443"},
      {"https:web:", "https web "},
      {":web:80", "http web 80"},
      {"ftp:web:21", "invalid scheme \"ftp\" to proxy to"}};
  for (const auto& [text, want] : rows) {
    SCOPED_TRACE(text);
    const auto got = parse_proxy_name(text);
    EXPECT_EQ(
        got ? fmt::format("{} {} {}", got->scheme, got->name, got->port) : got.error().message(),
        want);
  }
}

std::string text(const Result<ProxyTarget>& target) {
  return target ? fmt::format("{}:{}", target->host, target->port) : target.error().message();
}

TEST(ProxyTarget, OfPods) {
  const json::Value pod = *json::parse(
      R"({"status":{"podIP":"10.0.0.9"},"spec":{"containers":[{"ports":[{"name":"web","containerPort":8080},{"containerPort":9090}]}]}})");
  EXPECT_EQ(text(pod_target(pod, "")), "10.0.0.9:8080") << "the first port";
  EXPECT_EQ(text(pod_target(pod, "web")), "10.0.0.9:8080");
  EXPECT_EQ(text(pod_target(pod, "81")), "10.0.0.9:81") << "any number";
  EXPECT_EQ(text(pod_target(pod, "none")), "the pod has no port \"none\"");
  EXPECT_EQ(text(pod_target(*json::parse("{}"), "80")),
            "address not allowed: the pod has none yet");
}

TEST(ProxyTarget, OfServices) {
  const json::Value one = *json::parse(
      R"({"metadata":{"name":"s"},"spec":{"clusterIP":"10.96.0.9","ports":[{"name":"web","port":80,"targetPort":8080}]}})");
  EXPECT_EQ(text(service_target(one, "")), "10.96.0.9:80") << "the only port";
  EXPECT_EQ(text(service_target(one, "web")), "10.96.0.9:80");
  EXPECT_EQ(text(service_target(one, "80")), "10.96.0.9:80");
  EXPECT_EQ(text(service_target(one, "81")), "no service port \"81\" found for service \"s\"");
  const json::Value headless =
      *json::parse(R"({"spec":{"clusterIP":"None","ports":[{"port":80}]}})");
  EXPECT_FALSE(service_target(headless, "80"));
  const json::Value two =
      *json::parse(R"({"spec":{"clusterIP":"10.96.0.9","ports":[{"port":80},{"port":81}]}})");
  EXPECT_FALSE(service_target(two, "")) << "which of them?";
}

}  // namespace
}  // namespace atl::apiserver

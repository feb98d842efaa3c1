#include "api/client/kubeconfig.h"

#include <gtest/gtest.h>

namespace atl::api {
namespace {

std::string kubeconfig(const std::string& cluster, const std::string& user) {
  return "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: "
         "{cluster: k, user: u, namespace: team}\n"
         "clusters:\n- name: k\n  cluster: " +
         cluster + "\nusers:\n- name: u\n  user: " + user + "\n";
}

TEST(Kubeconfig, ReadsTheCurrentContext) {
  const auto access = parse_kubeconfig(
      kubeconfig("{server: 'https://10.0.0.1:6443/prefix/', certificate-authority-data: cGVt}",
                 "{token: t}"),
      "/");
  ASSERT_TRUE(access) << access.error().message();
  EXPECT_EQ(access->endpoint.host, "10.0.0.1");
  EXPECT_EQ(access->endpoint.port, 6443);
  EXPECT_TRUE(access->endpoint.tls);
  EXPECT_EQ(access->endpoint.ca, "pem");
  EXPECT_EQ(access->path_prefix, "/prefix");
  EXPECT_EQ(access->token, "t");
  EXPECT_EQ(access->ns, "team");
}

TEST(Kubeconfig, Ipv6AndDefaultPorts) {
  EXPECT_EQ(parse_kubeconfig(kubeconfig("{server: 'https://[::1]:7'}", "{}"), "/")->endpoint.host,
            "::1");
  EXPECT_EQ(parse_kubeconfig(kubeconfig("{server: 'https://[::1]'}", "{}"), "/")->endpoint.port,
            443);
  EXPECT_EQ(parse_kubeconfig(kubeconfig("{server: 'http://host'}", "{}"), "/")->endpoint.port, 80);
}

TEST(Kubeconfig, ProgramsAreNeverRun) {
  const auto access =
      parse_kubeconfig(kubeconfig("{server: 'https://h'}", "{exec: {command: /bin/true}}"), "/");
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().code(), Code::kMethodNotAllowed);
}

TEST(Kubeconfig, FaultsAreNamed) {
  const struct {
    std::string text;
    Code code;
  } cases[] = {
      {"", Code::kInvalid},
      {"current-context: none", Code::kNotFound},
      {kubeconfig("{server: 'ftp://h'}", "{}"), Code::kInvalid},
      {kubeconfig("{server: 'https://h:99999'}", "{}"), Code::kInvalid},
      {kubeconfig("{server: 'https://:1'}", "{}"), Code::kInvalid},
      {kubeconfig("{server: 'https://h', certificate-authority-data: '%%'}", "{}"), Code::kInvalid},
      {kubeconfig("{server: 'https://h', certificate-authority: /does/not/exist}", "{}"),
       Code::kNotFound},
      {"a: [", Code::kBadRequest},
  };
  for (const auto& c : cases) {
    const auto access = parse_kubeconfig(c.text, "/");
    ASSERT_FALSE(access) << c.text;
    EXPECT_EQ(access.error().code(), c.code) << c.text << ": " << access.error().message();
  }
}

}  // namespace
}  // namespace atl::api

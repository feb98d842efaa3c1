#include "kernel/node/pod/pod_files.h"

#include <gtest/gtest.h>

#include "kernel/node/pod/pull_secrets.h"

namespace atl::node {
namespace {

PodSpecPtr pod(const std::string& spec, const std::string& name = "web-1") {
  auto document = json::parse(R"({"metadata":{"name":")" + name +
                              R"(","namespace":"ns","uid":"u"},"spec":)" + spec + "}");
  EXPECT_TRUE(document) << document.error().message();
  return *read_pod(*std::move(document));
}

TEST(ResolvConf, FollowsThePolicy) {
  const DnsSettings settings{"169.254.20.1", "cluster.local",
                             "nameserver 127.0.0.53\nnameserver 1.1.1.1\nsearch corp.example\n"};
  struct Row {
    const char* sentence;
    const char* spec;
    const char* want;
  };
  const Row rows[] = {
      {"cluster first", "{}",
       "nameserver 169.254.20.1\nsearch ns.svc.cluster.local svc.cluster.local cluster.local "
       "corp.example\noptions ndots:5\n"},
      {"the node's, without its loopback resolver", R"({"dnsPolicy":"Default"})",
       "nameserver 1.1.1.1\nsearch corp.example\n"},
      {"a host-network pod asks as its host does", R"({"hostNetwork":true})",
       "nameserver 127.0.0.53\nnameserver 1.1.1.1\nsearch corp.example\n"},
      {"nothing but its own",
       R"({"dnsPolicy":"None","dnsConfig":{"nameservers":["9.9.9.9"],"searches":["a.b"]}})",
       "nameserver 9.9.9.9\nsearch a.b\n"},
      {"an option replaces its like",
       R"({"dnsConfig":{"options":[{"name":"ndots","value":"2"},{"name":"edns0"}]}})",
       "nameserver 169.254.20.1\nsearch ns.svc.cluster.local svc.cluster.local cluster.local "
       "corp.example\noptions ndots:2 edns0\n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    EXPECT_EQ(resolv_conf(*pod(row.spec), settings), row.want);
  }
}

TEST(HostsFile, NamesThePodAndItsAliases) {
  const std::string text = hosts_file(
      *pod(R"({"subdomain":"db","hostAliases":[{"ip":"1.2.3.4","hostnames":["a","b"]}]})"),
      "10.0.0.9", "cluster.local", "");
  EXPECT_NE(text.find("127.0.0.1\tlocalhost\n"), std::string::npos);
  EXPECT_NE(text.find("10.0.0.9\tweb-1.db.ns.svc.cluster.local\tweb-1\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("1.2.3.4\ta\tb\n"), std::string::npos);
  EXPECT_NE(
      hosts_file(*pod(R"({"hostNetwork":true})"), "x", "y", "10.9.9.9 printer\n").find("printer"),
      std::string::npos);
}

TEST(Hostname, IsCutToWhatTheKernelTakes) {
  EXPECT_EQ(hostname_of(*pod("{}")), "web-1");
  EXPECT_EQ(hostname_of(*pod(R"({"hostname":"h"})")), "h");
  EXPECT_EQ(hostname_of(*pod("{}", std::string(62, 'a') + "-bcd")), std::string(62, 'a'));
}

TEST(PullSecrets, ReadBothForms) {
  // {"auths":{"https://index.docker.io/v1/":{"auth":"dXNlcjpwYXNz"},"r.example:5000":{"username":"u","password":"p"}}}
  const json::Value secret = *json::parse(
      R"({"kind":"Secret","data":{".dockerconfigjson":"eyJhdXRocyI6eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOnsiYXV0aCI6ImRYTmxjanB3WVhOeiJ9LCJyLmV4YW1wbGU6NTAwMCI6eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InAifX19"}})");
  const auto all = credentials_in(secret);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].registry, "docker.io");
  EXPECT_EQ(all[0].username, "user");
  EXPECT_EQ(all[0].password, "pass");
  EXPECT_EQ(all[1].registry, "r.example:5000");
  EXPECT_TRUE(
      credentials_in(*json::parse(R"({"kind":"Secret","data":{".dockerconfigjson":"bm8="}})"))
          .empty());
}

}  // namespace
}  // namespace atl::node

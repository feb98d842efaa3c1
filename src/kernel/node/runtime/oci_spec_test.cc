#include "kernel/node/runtime/oci_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/node/runtime/seccomp.h"

namespace atl::node {
namespace {

using testing::HasSubstr;

PodSpecPtr pod(const std::string& spec) {
  auto document = json::parse(R"({"metadata":{"name":"p","uid":"u"},"spec":)" + spec + "}");
  EXPECT_TRUE(document) << document.error().message();
  return *read_pod(*std::move(document));
}

const UserDatabase kUsers{
    "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbroken line\n",
    "root:x:0:\nstaff:x:50:app,other\napp:x:1001:\n"};

TEST(ResolveUser, ReadsTheImagesFiles) {
  struct Row {
    const char* text;
    uint32_t uid, gid;
    std::vector<uint32_t> groups;
  };
  const Row rows[] = {
      {"", 0, 0, {}},        {"app", 1000, 1001, {50}},   {"1000", 1000, 1001, {50}},
      {"1234", 1234, 0, {}}, {"app:staff", 1000, 50, {}}, {"1:2", 1, 2, {}},
      {"root", 0, 0, {}}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    auto user = resolve_user(row.text, kUsers);
    ASSERT_TRUE(user);
    EXPECT_EQ(user->uid, row.uid);
    EXPECT_EQ(user->gid, row.gid);
    EXPECT_EQ(user->groups, row.groups);
  }
  EXPECT_FALSE(resolve_user("nobody", kUsers));
  EXPECT_FALSE(resolve_user("app:nogroup", kUsers));
}

TEST(Security, FollowsTheManifest) {
  const auto of = [](const std::string& container, const std::string& pod_context = "{}",
                     const char* image_user = "") {
    const auto p = pod(R"({"securityContext":)" + pod_context +
                       R"(,"containers":[{"name":"c","securityContext":)" + container + "}]}");
    return security_of(*p, p->containers[0].doc, image_user, kUsers);
  };
  EXPECT_EQ(of("{}")->capabilities, default_capabilities());
  EXPECT_TRUE(of("{}")->seccomp);
  EXPECT_FALSE(of("{}")->no_new_privileges);
  EXPECT_EQ(of(R"({"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}})")->capabilities,
            std::set<std::string>{"CAP_NET_BIND_SERVICE"});
  EXPECT_FALSE(of(R"({"capabilities":{"drop":["CHOWN"]}})")->capabilities.contains("CAP_CHOWN"));
  EXPECT_TRUE(
      of(R"({"capabilities":{"add":["SYS_ADMIN"]}})")->capabilities.contains("CAP_SYS_ADMIN"));
  EXPECT_TRUE(of(R"({"allowPrivilegeEscalation":false})")->no_new_privileges);
  EXPECT_TRUE(of(R"({"readOnlyRootFilesystem":true})")->read_only_root);
  EXPECT_EQ(
      of("{}", R"({"runAsUser":5,"runAsGroup":6,"fsGroup":7,"supplementalGroups":[8]})")->user.uid,
      5u);
  EXPECT_EQ(of("{}", R"({"runAsUser":5,"runAsGroup":6,"fsGroup":7,"supplementalGroups":[8]})")
                ->user.groups,
            (std::vector<uint32_t>{7, 8}));
  EXPECT_EQ(of(R"({"runAsUser":9})", R"({"runAsUser":5})")->user.uid, 9u)
      << "the container's word counts more";
  EXPECT_EQ(of("{}", "{}", "app")->user.uid, 1000u);
  EXPECT_FALSE(of(R"({"runAsNonRoot":true})"));
  EXPECT_TRUE(of(R"({"runAsNonRoot":true})", "{}", "app"));
  EXPECT_FALSE(of(R"({"privileged":true})")->seccomp);
  EXPECT_EQ(of(R"({"privileged":true})")->capabilities, all_capabilities());
  EXPECT_FALSE(of(R"({"seccompProfile":{"type":"Localhost"}})"));
}

TEST(OciSpec, HoldsWhatKeepsAContainerApart) {
  ContainerPlan plan;
  plan.args = {"/bin/web"};
  plan.netns = "/b/netns";
  plan.hostname = "p";
  plan.cgroup = "/atoll/podu/web_0";
  plan.security.capabilities = default_capabilities();
  plan.resources.memory_limit = 64 << 20;
  plan.resources.cpu_quota_us = 50'000;
  plan.mounts = {{"/data/inner", "bind", "/v2", {"rbind", "rw"}},
                 {"/data", "bind", "/v1", {"rbind", "ro"}}};
  const json::Value spec = oci_spec(plan);
  EXPECT_EQ(json::int_at(spec, {"linux", "resources", "memory", "limit"}), 64 << 20);
  EXPECT_EQ(json::int_at(spec, {"linux", "resources", "cpu", "quota"}), 50'000);
  EXPECT_EQ(json::string_at(spec, {"hostname"}), "p");
  const std::string text = json::serialize(spec);
  EXPECT_THAT(text, HasSubstr("/proc/kcore"));
  EXPECT_THAT(text, HasSubstr("/proc/sysrq-trigger"));
  for (const char* type : {"pid", "mount", "ipc", "uts", "cgroup", "network"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\"type\":\"") + type + "\"")) << type;
  }
  EXPECT_LT(text.find("\"/data\""), text.find("\"/data/inner\"")) << "parents are mounted first";
  EXPECT_THAT(text, HasSubstr(R"("defaultAction":"SCMP_ACT_ERRNO")"));

  plan.cgroups = cgroup_mounts({{"memory", "/sys/fs/cgroup/memory/atoll/podu/web_0"}});
  const std::string own = json::serialize(oci_spec(plan));
  EXPECT_THAT(own, HasSubstr(R"("source":"/sys/fs/cgroup/memory/atoll/podu/web_0")"));
  EXPECT_EQ(own.find(R"("type":"cgroup","source")"), std::string::npos) << "no host's hierarchy";

  plan.netns.clear();
  plan.security.privileged = true, plan.security.seccomp = false,
  plan.security.masked_paths = false;
  const std::string host = json::serialize(oci_spec(plan));
  EXPECT_EQ(host.find("\"type\":\"network\""), std::string::npos);
  EXPECT_EQ(host.find("seccomp"), std::string::npos);
  EXPECT_EQ(host.find("maskedPaths"), std::string::npos);
}

TEST(OciSpec, AVolumeTakesThePlaceOfAStandardMount) {
  ContainerPlan plan;
  plan.mounts = {{"/dev/shm", "bind", "/v", {"rbind", "rw"}}};
  int found = 0;
  const json::Value spec = oci_spec(plan);
  for (const json::Value& m : json::array_at(spec, {"mounts"})) {
    found += json::string_at(m, {"destination"}) == "/dev/shm";
  }
  EXPECT_EQ(found, 1);
}

TEST(Seccomp, AllowsWhatTheCapabilitiesAllow) {
  const std::string plain = json::serialize(default_seccomp(default_capabilities()));
  EXPECT_THAT(plain, HasSubstr("\"openat\""));
  EXPECT_THAT(plain, HasSubstr("\"chroot\""));
  const std::string namespaces = "2114060288";  // the flags of clone that make them
  EXPECT_THAT(plain, HasSubstr(namespaces));
  EXPECT_EQ(plain.find("\"mount\""), std::string::npos);
  EXPECT_EQ(plain.find("\"keyctl\""), std::string::npos);
  EXPECT_EQ(plain.find("\"init_module\""), std::string::npos);
  const std::string admin = json::serialize(default_seccomp({"CAP_SYS_ADMIN"}));
  EXPECT_THAT(admin, HasSubstr("\"mount\""));
  EXPECT_EQ(admin.find(namespaces), std::string::npos);
}

TEST(Sysctls, OnlySafeOnes) {
  const auto of = [](const char* name, const char* more = "") {
    return safe_sysctls(*pod(std::string(R"({)") + more +
                             R"("securityContext":{"sysctls":[{"name":")" + name +
                             R"(","value":"1"}]},"containers":[]})"));
  };
  EXPECT_TRUE(of("net.ipv4.tcp_syncookies"));
  EXPECT_FALSE(of("kernel.panic"));
  EXPECT_EQ(of("net.ipv4.ip_unprivileged_port_start")->at("net.ipv4.ip_unprivileged_port_start"),
            "1");
  EXPECT_EQ(safe_sysctls(*pod(R"({"containers":[]})"))->at("net.ipv4.ip_unprivileged_port_start"),
            "0")
      << "a web server without rights listens on port 80";
  EXPECT_TRUE(safe_sysctls(*pod(R"({"hostNetwork":true,"containers":[]})"))->empty());
  EXPECT_FALSE(of("net.ipv4.tcp_syncookies", R"("hostNetwork":true,)"));
}

TEST(Resources, TurnIntoTheKernelsUnits) {
  const auto of = [](const std::string& r) {
    return resources_of(*json::parse(R"({"resources":)" + r + "}"));
  };
  EXPECT_EQ(of("{}").cpu_shares, 2u);
  EXPECT_EQ(of(R"({"requests":{"cpu":"500m"}})").cpu_shares, 512u);
  EXPECT_EQ(of(R"({"limits":{"cpu":"2"}})").cpu_shares, 2'048u)
      << "a limit is a request where none is given";
  EXPECT_EQ(of(R"({"limits":{"cpu":2}})").cpu_quota_us, 200'000)
      << "a number does as well as a text";
  EXPECT_EQ(of(R"({"limits":{"cpu":"1m"}})").cpu_quota_us, 1'000) << "the kernel's least";
  EXPECT_EQ(of(R"({"limits":{"memory":"64Mi"}})").memory_limit, 64 << 20);
}

TEST(QosClass, FollowsRequestsAndLimits) {
  const auto of = [](const std::string& r) {
    return std::string(qos_class(*pod(R"({"containers":[{"name":"c","resources":)" + r + "}]}")));
  };
  EXPECT_EQ(of("{}"), "BestEffort");
  EXPECT_EQ(of(R"({"requests":{"cpu":"1"}})"), "Burstable");
  EXPECT_EQ(of(R"({"limits":{"cpu":"1","memory":"1Gi"}})"), "Guaranteed");
  EXPECT_EQ(of(R"({"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"500m","memory":"1Gi"}})"),
            "Burstable");
}

}  // namespace
}  // namespace atl::node

#include "kernel/apiserver/admission/pod_security.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/admission/test_requests.h"
#include "kernel/apiserver/auth/fake_reader.h"

namespace atl::apiserver {
namespace {

constexpr const char* kGood =
    R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},
    "containers":[{"name":"a","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}}],
    "volumes":[{"name":"v","emptyDir":{}},{"name":"c","configMap":{"name":"c"}}]})";

TEST(SecurityRules, Baseline) {
  struct Case {
    const char* why;
    const char* spec;
    const char* want;
  };
  const Case cases[] = {
      {"an ordinary pod", R"({"containers":[{"name":"a"}]})", ""},
      {"host namespaces", R"({"hostNetwork":true,"hostPID":true,"containers":[{"name":"a"}]})",
       "host namespaces (hostNetwork=true, hostPID=true)"},
      {"privileged",
       R"({"containers":[{"name":"a","securityContext":{"privileged":true}}],"initContainers":[{"name":"i","securityContext":{"privileged":true}}]})",
       "privileged (containers \"i\", \"a\" must not set securityContext.privileged=true)"},
      {"capabilities",
       R"({"containers":[{"name":"a","securityContext":{"capabilities":{"add":["SYS_ADMIN","CHOWN","NET_ADMIN"]}}}]})",
       "non-default capabilities (container \"a\" must not include \"NET_ADMIN\", \"SYS_ADMIN\" in "
       "securityContext.capabilities.add)"},
      {"host paths",
       R"({"containers":[{"name":"a"}],"volumes":[{"name":"v","hostPath":{"path":"/"}}]})",
       "hostPath volumes (volume \"v\")"},
      {"host ports",
       R"({"containers":[{"name":"a","ports":[{"containerPort":80,"hostPort":80}]}]})",
       "hostPort (container \"a\" uses hostPort 80)"},
      {"probe hosts",
       R"({"containers":[{"name":"a","livenessProbe":{"httpGet":{"host":"169.254.169.254","port":80}}}]})",
       "probe or lifecycle host (container \"a\" uses probe or lifecycle host "
       "\"169.254.169.254\")"},
      {"unmasked proc",
       R"({"containers":[{"name":"a","securityContext":{"procMount":"Unmasked"}}]})",
       "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")"},
      {"no seccomp",
       R"({"securityContext":{"seccompProfile":{"type":"Unconfined"}},"containers":[{"name":"a"}]})",
       "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"},
      {"no AppArmor",
       R"({"containers":[{"name":"a","securityContext":{"appArmorProfile":{"type":"Unconfined"}}}]})",
       "forbidden AppArmor profile (container \"a\" must not set AppArmor profile type to "
       "\"Unconfined\")"},
      {"sysctls",
       R"({"securityContext":{"sysctls":[{"name":"kernel.msgmax"},{"name":"net.ipv4.tcp_syncookies"}]},"containers":[{"name":"a"}]})",
       "forbidden sysctls (kernel.msgmax)"},
      {"SELinux",
       R"({"securityContext":{"seLinuxOptions":{"type":"spc_t"}},"containers":[{"name":"a"}]})",
       "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\")"},
      {"ephemeral containers count",
       R"({"containers":[{"name":"a"}],"ephemeralContainers":[{"name":"e","securityContext":{"privileged":true}}]})",
       "privileged (container \"e\" must not set securityContext.privileged=true)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(security_violations(SecurityLevel::kBaseline, {}, doc(c.spec)), c.want);
    EXPECT_EQ(security_violations(SecurityLevel::kPrivileged, {}, doc(c.spec)), "")
        << "the wall removed";
  }
}

TEST(SecurityRules, Restricted) {
  EXPECT_EQ(security_violations(SecurityLevel::kRestricted, {}, doc(kGood)), "");
  EXPECT_EQ(
      security_violations(SecurityLevel::kRestricted, {}, doc(R"({"containers":[{"name":"a"}]})")),
      "allowPrivilegeEscalation != false (container \"a\" must set "
      "securityContext.allowPrivilegeEscalation=false), "
      "unrestricted capabilities (container \"a\" must set "
      "securityContext.capabilities.drop=[\"ALL\"]), "
      "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true), "
      "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to "
      "\"RuntimeDefault\" or \"Localhost\")");
  struct Case {
    const char* why;
    json::Path path;
    json::Value value;
    const char* want;
  };
  const Case cases[] = {
      {"root by number",
       {"securityContext", "runAsUser"},
       0,
       "runAsUser=0 (pod must not set runAsUser=0)"},
      {"root by word",
       {"securityContext", "runAsNonRoot"},
       false,
       "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"},
      {"a host path",
       {"volumes"},
       json::Array{json::Object{{"name", "h"}, {"hostPath", json::Object{}}}},
       "restricted volume types (volume \"h\" uses restricted volume type \"hostPath\")"},
      {"no seccomp",
       {"securityContext", "seccompProfile", "type"},
       "Unconfined",
       "seccompProfile (pod must not set securityContext.seccompProfile.type to \"Unconfined\")"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    json::Value spec = doc(kGood);
    json::set(spec, c.path, c.value);
    EXPECT_EQ(security_violations(SecurityLevel::kRestricted, {}, spec), c.want);
  }
  json::Value userns = doc(kGood);
  json::set(userns, {"securityContext", "runAsNonRoot"}, false);
  json::set(userns, {"hostUsers"}, false);
  EXPECT_EQ(security_violations(SecurityLevel::kRestricted, {}, userns), "")
      << "root of a user namespace is nobody outside";
}

class PodSecurityStep : public testing::Test {
 protected:
  void label(std::string_view labels) {
    reader_.put("", "namespaces",
                doc(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"n1","labels":)" +
                    std::string(labels) + "}}"));
  }
  FakeReader reader_;
  PodSecurity step_{reader_};
};

constexpr const char* kHostPod =
    R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"hostNetwork":true,"containers":[{"name":"a"}]}})";

TEST_F(PodSecurityStep, EnforcesTheLabelOfTheNamespace) {
  TestRequest pod(Operation::kCreate, "pods", kHostPod);
  label("{}");
  EXPECT_EQ(pod.pass(step_), "");
  label(
      R"({"pod-security.kubernetes.io/enforce":"baseline","pod-security.kubernetes.io/enforce-version":"v1.30"})");
  EXPECT_EQ(pod.pass(step_),
            "forbidden: pods \"p\" is forbidden: violates PodSecurity \"baseline:v1.30\": host "
            "namespaces (hostNetwork=true)");
  label(R"({"pod-security.kubernetes.io/enforce":"privileged"})");
  EXPECT_EQ(pod.pass(step_), "");
  label(R"({"pod-security.kubernetes.io/enforce":"basline"})");
  EXPECT_NE(pod.pass(step_), "") << "a level that cannot be read does not open the door";
}

TEST_F(PodSecurityStep, UpdatesOfAnOldPodPassUnlessTheSpecChanges) {
  label(R"({"pod-security.kubernetes.io/enforce":"baseline"})");
  TestRequest same(Operation::kUpdate, "pods", kHostPod, kHostPod);
  EXPECT_EQ(same.pass(step_), "");
  TestRequest changed(
      Operation::kUpdate, "pods", kHostPod,
      R"({"kind":"Pod","metadata":{"name":"p","namespace":"n1"},"spec":{"containers":[{"name":"a"}]}})");
  EXPECT_NE(changed.pass(step_), "");
}

TEST_F(PodSecurityStep, WarnsAboutTemplatesAndRefusesNone) {
  label(
      R"({"pod-security.kubernetes.io/warn":"baseline","pod-security.kubernetes.io/enforce":"baseline"})");
  TestRequest deployment(
      Operation::kCreate, "deployments.apps",
      R"({"kind":"Deployment","metadata":{"name":"d","namespace":"n1"},"spec":{"template":{"spec":{"hostPID":true,"containers":[{"name":"a"}]}}}})");
  EXPECT_EQ(deployment.pass(step_), "");
  ASSERT_EQ(deployment.request.warnings.size(), 1U);
  EXPECT_EQ(deployment.request.warnings[0],
            "would violate PodSecurity \"baseline:latest\": host namespaces (hostPID=true)");
}

TEST_F(PodSecurityStep, AStricterLevelTellsWhichPodsBreakIt) {
  const auto put = [&](std::string name, std::string spec) {
    reader_.put("", "pods",
                doc(R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"n1","name":")" +
                    name + R"("},"spec":)" + spec + "}"));
  };
  put("b", R"({"hostNetwork":true,"containers":[{"name":"a"}]})");
  put("c", R"({"hostNetwork":true,"containers":[{"name":"a"}]})");
  put("a", R"({"hostPID":true,"containers":[{"name":"a"}]})");
  put("fine", R"({"containers":[{"name":"a"}]})");
  const auto space = [](std::string_view level) {
    return R"({"kind":"Namespace","metadata":{"name":"n1","labels":{"pod-security.kubernetes.io/enforce":")" +
           std::string(level) + R"("}}})";
  };
  TestRequest stricter(Operation::kUpdate, "namespaces", space("baseline"), space("privileged"));
  EXPECT_EQ(stricter.pass(step_), "");
  EXPECT_EQ(stricter.request.warnings,
            (std::vector<std::string>{
                "existing pods in namespace \"n1\" violate the new PodSecurity enforce level "
                "\"baseline:latest\"",
                "a: host namespaces (hostPID=true)",
                "b (and 1 other pod): host namespaces (hostNetwork=true)"}));
  TestRequest looser(Operation::kUpdate, "namespaces", space("baseline"), space("restricted"));
  EXPECT_EQ(looser.pass(step_), "");
  EXPECT_TRUE(looser.request.warnings.empty());
}

TEST_F(PodSecurityStep, UnknownLevelsAreRefusedOnNamespaces) {
  TestRequest bad(
      Operation::kCreate, "namespaces",
      R"({"kind":"Namespace","metadata":{"name":"x","labels":{"pod-security.kubernetes.io/enforce":"basline"}}})");
  EXPECT_NE(bad.pass(step_).find("must be one of privileged, baseline, restricted"),
            std::string::npos);
  TestRequest good(
      Operation::kCreate, "namespaces",
      R"({"kind":"Namespace","metadata":{"name":"x","labels":{"pod-security.kubernetes.io/enforce":"baseline"}}})");
  EXPECT_EQ(good.pass(step_), "");
}

}  // namespace
}  // namespace atl::apiserver

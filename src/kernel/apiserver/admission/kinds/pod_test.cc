#include "kernel/apiserver/admission/kinds/pod.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/admission/kinds/pod_defaults.h"
#include "kernel/apiserver/admission/kinds/pod_rules.h"
#include "kernel/apiserver/admission/kinds/test_writes.h"

namespace atl::apiserver {
namespace {

json::Value pod(std::string_view spec) {
  return json::Object{{"metadata", json::Object{{"name", "p"}, {"namespace", "n1"}}},
                      {"spec", doc(spec)}};
}

TEST(PodDefaults, PullPolicyFollowsTheTag) {
  struct Case {
    const char* image;
    const char* want;
  };
  const Case cases[] = {{"nginx", "Always"},
                        {"nginx:latest", "Always"},
                        {"nginx:1.25", "IfNotPresent"},
                        {"reg:5000/nginx", "Always"},
                        {"reg:5000/a/nginx:2", "IfNotPresent"},
                        {"nginx@sha256:0123", "IfNotPresent"},
                        {"nginx:latest@sha256:0123", "Always"},
                        {"nginx:1@sha256:0123", "IfNotPresent"}};
  for (const Case& c : cases) EXPECT_EQ(pull_policy_of(c.image), c.want) << c.image;
}

TEST(PodDefaults, FillWhatDependsOnOtherFields) {
  TestWrite write(pod(
      R"({"hostNetwork":true,"containers":[{"name":"a","image":"x:1","ports":[{"containerPort":80}],
      "resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"500m"}}}],
      "volumes":[{"name":"v"},{"name":"h","hostPath":{"path":"/x"}}]})"));
  ASSERT_TRUE(PodHook().prepare(write.context).has_value());
  const json::Value& container = json::array_at(write.object, {"spec", "containers"})[0];
  EXPECT_EQ(json::string_at(container, {"imagePullPolicy"}), "IfNotPresent");
  EXPECT_EQ(json::string_at(container, {"resources", "requests", "cpu"}), "500m");
  EXPECT_EQ(json::string_at(container, {"resources", "requests", "memory"}), "1Gi");
  EXPECT_EQ(json::int_at(json::array_at(container, {"ports"})[0], {"hostPort"}), 80);
  EXPECT_NE(json::find(json::array_at(write.object, {"spec", "volumes"})[0], {"emptyDir"}),
            nullptr);
  EXPECT_EQ(json::string_at(json::array_at(write.object, {"spec", "volumes"})[1],
                            {"hostPath", "type"}, "unset"),
            "");
  EXPECT_TRUE(json::bool_at(write.object, {"spec", "enableServiceLinks"}));
  EXPECT_EQ(json::string_at(write.object, {"status", "phase"}), "Pending");
  EXPECT_EQ(json::string_at(write.object, {"status", "qosClass"}), "Burstable");
}

TEST(PodDefaults, Quality) {
  struct Case {
    const char* containers;
    const char* want;
  };
  const Case cases[] = {
      {R"([{"name":"a"}])", "BestEffort"},
      {R"([{"name":"a","resources":{"requests":{"cpu":"0"}}}])", "BestEffort"},
      {R"([{"name":"a","resources":{"requests":{"cpu":"1"}}}])", "Burstable"},
      {R"([{"name":"a","resources":{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1000m","memory":"1024Mi"}}}])",
       "Guaranteed"},
      {R"([{"name":"a","resources":{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}},{"name":"b"}])",
       "Burstable"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(quality_of(json::Object{{"containers", doc(c.containers)}}), c.want) << c.containers;
}

TEST(PodRules, FindWhatSpansFields) {
  struct Case {
    const char* why;
    const char* spec;
    const char* want;
  };
  const Case cases[] = {
      {"fine", R"({"containers":[{"name":"a","image":"x"}]})", ""},
      {"a name that is no label", R"({"containers":[{"name":"A_b","image":"x"}]})",
       "spec.containers[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 label"},
      {"an init container with the name of another",
       R"({"initContainers":[{"name":"a","image":"x"}],"containers":[{"name":"a","image":"x"}]})",
       "spec.containers[0].name: Duplicate value: \"a\""},
      {"a mount without its volume",
       R"({"containers":[{"name":"a","image":"x","volumeMounts":[{"name":"v","mountPath":"/v"}]}]})",
       "spec.containers[0].volumeMounts[0].name: Not found: \"v\""},
      {"two mounts at one path",
       R"({"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"a","image":"x","volumeMounts":[{"name":"v","mountPath":"/v"},{"name":"v","mountPath":"/v"}]}]})",
       "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/v\": must be unique"},
      {"a sub path that leaves the volume",
       R"({"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"a","image":"x","volumeMounts":[{"name":"v","mountPath":"/v","subPath":"a/../../b"}]}]})",
       "spec.containers[0].volumeMounts[0].subPath: Invalid value: \"a/../../b\": must not contain "
       "'..'"},
      {"two sources in one volume",
       R"({"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/"}}],"containers":[{"name":"a","image":"x"}]})",
       "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"},
      {"a file name that leaves the volume",
       R"({"volumes":[{"name":"v","secret":{"secretName":"s","items":[{"key":"k","path":"/etc/passwd"}]}}],"containers":[{"name":"a","image":"x"}]})",
       "spec.volumes[0].secret.items[0].path: Invalid value: \"/etc/passwd\": must be a relative "
       "path"},
      {"requests beyond limits",
       R"({"containers":[{"name":"a","image":"x","resources":{"requests":{"cpu":"2"},"limits":{"cpu":"1"}}}]})",
       "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to "
       "cpu limit of 1"},
      {"a negative amount",
       R"({"containers":[{"name":"a","image":"x","resources":{"limits":{"cpu":"-1"}}}]})",
       "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or "
       "equal to 0"},
      {"no amount at all",
       R"({"containers":[{"name":"a","image":"x","resources":{"limits":{"cpu":"lots"}}}]})",
       "spec.containers[0].resources.limits[cpu]: Invalid value: \"lots\": quantities must match"},
      {"an unknown resource",
       R"({"containers":[{"name":"a","image":"x","resources":{"limits":{"cpus":"1"}}}]})",
       "spec.containers[0].resources.limits[cpus]: Invalid value: \"cpus\": must be a standard "
       "resource for containers"},
      {"half a device",
       R"({"containers":[{"name":"a","image":"x","resources":{"limits":{"v.io/gpu":"500m"}}}]})",
       "spec.containers[0].resources.limits[v.io/gpu]: Invalid value: \"500m\": must be an "
       "integer"},
      {"a probe without a handler",
       R"({"containers":[{"name":"a","image":"x","livenessProbe":{"periodSeconds":5}}]})",
       "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
      {"a probe with two",
       R"({"containers":[{"name":"a","image":"x","readinessProbe":{"exec":{"command":["a"]},"tcpSocket":{"port":1}}}]})",
       "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 "
       "handler type"},
      {"liveness that succeeds twice",
       R"({"containers":[{"name":"a","image":"x","livenessProbe":{"exec":{"command":["a"]},"successThreshold":2}}]})",
       "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"},
      {"probes of init containers",
       R"({"initContainers":[{"name":"i","image":"x","livenessProbe":{"exec":{"command":["a"]}}}],"containers":[{"name":"a","image":"x"}]})",
       "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers "
       "without restartPolicy=Always"},
      {"value and valueFrom",
       R"({"containers":[{"name":"a","image":"x","env":[{"name":"E","value":"1","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}]})",
       "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when "
       "`value` is not empty"},
      {"an equals sign in a name",
       R"({"containers":[{"name":"a","image":"x","env":[{"name":"A=B","value":"1"}]}]})",
       "spec.containers[0].env[0].name: Invalid value: \"A=B\""},
      {"a port name of digits",
       R"({"containers":[{"name":"a","image":"x","ports":[{"containerPort":80,"name":"80"}]}]})",
       "spec.containers[0].ports[0].name: Invalid value: \"80\""},
      {"a host port beside the container's",
       R"({"hostNetwork":true,"containers":[{"name":"a","image":"x","ports":[{"containerPort":80,"hostPort":81}]}]})",
       "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when "
       "`hostNetwork` is true"},
      {"a toleration without effect",
       R"({"tolerations":[{"key":"a","operator":"Exists","tolerationSeconds":3}],"containers":[{"name":"a","image":"x"}]})",
       "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when "
       "`tolerationSeconds` is set"},
      {"privileged without escalation",
       R"({"containers":[{"name":"a","image":"x","securityContext":{"privileged":true,"allowPrivilegeEscalation":false}}]})",
       "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"},
      {"white space around an image", R"({"containers":[{"name":"a","image":"x "}]})",
       "spec.containers[0].image: Invalid value: \"x \": must not have leading or trailing "
       "whitespace"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const std::string found = texts(check_pod_spec(doc(c.spec), "spec"));
    if (*c.want == 0)
      EXPECT_EQ(found, "");
    else
      EXPECT_NE(found.find(c.want), std::string::npos) << found;
    EXPECT_EQ(found.find(" | "), std::string::npos) << "one fault, one finding: " << found;
  }
}

TEST(PodRules, EphemeralContainersAreNotOffered) {
  const json::Value before = *json::parse(R"({"spec":{"containers":[{"name":"a","image":"x"}]}})");
  json::Value after = before;
  EXPECT_EQ(texts(check_ephemeral_update(after, before)), "");
  json::set(after, {"spec", "ephemeralContainers"},
            json::Array{json::Object{{"name", "debugger"}, {"image", "x"}}});
  EXPECT_NE(texts(check_ephemeral_update(after, before)).find("kubectl debug --copy-to"),
            std::string::npos)
      << "who would wait for a container that never starts is told at once";
}

TEST(PodRules, UpdatesChangeImagesAndLittleElse) {
  const char* before =
      R"({"nodeName":"n","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"x"}],"tolerations":[{"key":"k","operator":"Exists"}]})";
  struct Case {
    const char* why;
    const char* spec;
    const char* want;
  };
  const Case cases[] = {
      {"nothing", before, ""},
      {"another image",
       R"({"nodeName":"n","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"y"}],"tolerations":[{"key":"k","operator":"Exists"}]})",
       ""},
      {"one toleration more",
       R"({"nodeName":"n","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"x"}],"tolerations":[{"key":"k","operator":"Exists"},{"key":"l","operator":"Exists"}]})",
       ""},
      {"a shorter deadline",
       R"({"nodeName":"n","activeDeadlineSeconds":5,"containers":[{"name":"a","image":"x"}],"tolerations":[{"key":"k","operator":"Exists"}]})",
       ""},
      {"a longer deadline",
       R"({"nodeName":"n","activeDeadlineSeconds":50,"containers":[{"name":"a","image":"x"}],"tolerations":[{"key":"k","operator":"Exists"}]})",
       "spec.activeDeadlineSeconds: Invalid value: 50: must be less than or equal to previous "
       "value"},
      {"a toleration less",
       R"({"nodeName":"n","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"x"}]})",
       "spec.tolerations: Forbidden"},
      {"another node",
       R"({"nodeName":"m","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"x"}],"tolerations":[{"key":"k","operator":"Exists"}]})",
       "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"},
      {"another command",
       R"({"nodeName":"n","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"x","command":["c"]}],"tolerations":[{"key":"k","operator":"Exists"}]})",
       "changed: spec.containers"},
      {"one container more",
       R"({"nodeName":"n","activeDeadlineSeconds":10,"containers":[{"name":"a","image":"x"},{"name":"b","image":"x"}],"tolerations":[{"key":"k","operator":"Exists"}]})",
       "changed: spec.containers"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const TestWrite write(pod(c.spec), pod(before));
    const std::string found = texts(PodHook().validate(write.context));
    if (*c.want == 0)
      EXPECT_EQ(found, "");
    else
      EXPECT_NE(found.find(c.want), std::string::npos) << found;
  }
}

TEST(PodRules, ResizeChangesResourcesOnly) {
  const json::Value before =
      pod(R"({"containers":[{"name":"a","image":"x","resources":{"limits":{"cpu":"1"}}}]})");
  const TestWrite more(
      pod(R"({"containers":[{"name":"a","image":"x","resources":{"limits":{"cpu":"2"}}}]})"),
      before, "resize");
  EXPECT_EQ(texts(PodHook().validate(more.context)), "");
  const TestWrite image(pod(R"({"containers":[{"name":"a","image":"y"}]})"), before, "resize");
  EXPECT_NE(texts(PodHook().validate(image.context)), "");
}

TEST(PodRules, Grace) {
  struct Case {
    const char* why;
    const char* pod;
    std::optional<int64_t> asked;
    int64_t want;
  };
  const Case cases[] = {
      {"no node has it", R"({"spec":{"terminationGracePeriodSeconds":30}})", 10, 0},
      {"its own", R"({"spec":{"nodeName":"n","terminationGracePeriodSeconds":7}})", std::nullopt,
       7},
      {"the default", R"({"spec":{"nodeName":"n"}})", std::nullopt, 30},
      {"as asked", R"({"spec":{"nodeName":"n"}})", 3, 3},
      {"negative", R"({"spec":{"nodeName":"n"}})", -1, 1},
      {"it has ended", R"({"spec":{"nodeName":"n"},"status":{"phase":"Succeeded"}})", 3, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(PodHook().grace_seconds(doc(c.pod), c.asked), c.want);
  }
}

}  // namespace
}  // namespace atl::apiserver

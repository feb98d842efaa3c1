// Rules of the smaller kinds, one table.
#include <gtest/gtest.h>

#include "kernel/apiserver/admission/kinds/cluster.h"
#include "kernel/apiserver/admission/kinds/config.h"
#include "kernel/apiserver/admission/kinds/cron_schedule.h"
#include "kernel/apiserver/admission/kinds/jobs.h"
#include "kernel/apiserver/admission/kinds/network.h"
#include "kernel/apiserver/admission/kinds/policy.h"
#include "kernel/apiserver/admission/kinds/rbac.h"
#include "kernel/apiserver/admission/kinds/storage.h"
#include "kernel/apiserver/admission/kinds/test_writes.h"
#include "kernel/apiserver/admission/kinds/workloads.h"

namespace atl::apiserver {
namespace {

// prepare() and validate() of one write; the findings as text.
std::string run(const KindHook& hook, TestWrite& write) {
  const auto prepared = hook.prepare(write.context);
  return prepared ? texts(hook.validate(write.context)) : prepared.error().message();
}

std::string workload(std::string selector, std::string labels, std::string more = "",
                     std::string pod = R"({"containers":[{"name":"a","image":"x"}]})") {
  return R"({"metadata":{"name":"w","namespace":"n1"},"spec":{)" + more + R"("selector":)" +
         selector + R"(,"template":{"metadata":{"labels":)" + labels + R"(},"spec":)" + pod + "}}}";
}
constexpr const char* kSelector = R"({"matchLabels":{"app":"x"}})";
constexpr const char* kLabels = R"({"app":"x"})";

TEST(Deployments, DefaultsAndRules) {
  TestWrite fine(doc(workload(kSelector, kLabels)));
  EXPECT_EQ(run(DeploymentHook(), fine), "");
  EXPECT_EQ(json::string_at(fine.object, {"spec", "strategy", "rollingUpdate", "maxSurge"}), "25%");
  EXPECT_EQ(
      json::string_at(json::array_at(fine.object, {"spec", "template", "spec", "containers"})[0],
                      {"imagePullPolicy"}),
      "Always");
  struct Case {
    const char* why;
    std::string text, want;
  };
  const Case cases[] = {
      {"other labels", workload(kSelector, R"({"app":"y"})"),
       "spec.template.metadata.labels: Invalid value: {\"app\":\"y\"}: `selector` does not match "
       "template `labels`"},
      {"everything", workload("{}", kLabels),
       "spec.selector: Invalid value: {}: empty selector is invalid for deployment"},
      {"pods that end",
       workload(kSelector, kLabels, "",
                R"({"restartPolicy":"Never","containers":[{"name":"a","image":"x"}]})"),
       "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
       "\"Always\""},
      {"a rollout that cannot move",
       workload(kSelector, kLabels,
                R"("strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}},)"),
       "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when "
       "`maxSurge` is 0"},
      {"recreate with a rolling update",
       workload(kSelector, kLabels,
                R"("strategy":{"type":"Recreate","rollingUpdate":{"maxSurge":1}},)"),
       "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is "
       "'Recreate'"},
      {"a deadline too short",
       workload(kSelector, kLabels, R"("progressDeadlineSeconds":5,"minReadySeconds":5,)"),
       "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"},
      {"a fault in the template",
       workload(kSelector, kLabels, "", R"({"containers":[{"name":"A","image":"x"}]})"),
       "spec.template.spec.containers[0].name: Invalid value"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    TestWrite write(doc(c.text));
    EXPECT_EQ(run(DeploymentHook(), write).find(c.want), 0U) << run(DeploymentHook(), write);
  }
  TestWrite moved(doc(workload(R"({"matchLabels":{"app":"y"}})", R"({"app":"y"})")), fine.object);
  EXPECT_NE(run(DeploymentHook(), moved).find("spec.selector: Invalid value"), std::string::npos);
  EXPECT_NE(run(DeploymentHook(), moved).find("field is immutable"), std::string::npos);
}

TEST(StatefulSets, DefaultsAndFrozenFields) {
  TestWrite made(
      doc(workload(kSelector, kLabels,
                   R"("serviceName":"s","volumeClaimTemplates":[{"metadata":{"name":"d"}}],)")));
  EXPECT_EQ(run(StatefulSetHook(), made), "");
  EXPECT_EQ(json::string_at(made.object, {"spec", "updateStrategy", "type"}), "RollingUpdate");
  EXPECT_EQ(json::string_at(json::array_at(made.object, {"spec", "volumeClaimTemplates"})[0],
                            {"status", "phase"}),
            "Pending");
  json::Value scaled = made.object;
  json::set(scaled, {"spec", "replicas"}, 3);
  TestWrite more(scaled, made.object);
  EXPECT_EQ(run(StatefulSetHook(), more), "");
  json::set(scaled, {"spec", "serviceName"}, "other");
  TestWrite frozen(scaled, made.object);
  EXPECT_EQ(
      run(StatefulSetHook(), frozen)
          .find("spec: Forbidden: updates to statefulset spec for fields other than 'replicas'"),
      0U);
}

TEST(StatefulSets, ClaimTemplatesAreVolumes) {
  const auto mounting = [](const char* volume) {
    json::Value set = doc(
        workload(kSelector, kLabels,
                 R"("serviceName":"s","volumeClaimTemplates":[{"metadata":{"name":"data"}}],)"));
    json::Value& container =
        set.at("spec").at("template").at("spec").at("containers").as_array().at(0);
    json::set(container, {"volumeMounts"},
              json::Array{json::Object{{"name", volume}, {"mountPath", "/d"}}});
    return set;
  };
  TestWrite claimed(mounting("data"));
  EXPECT_EQ(run(StatefulSetHook(), claimed), "");
  TestWrite unknown(mounting("other"));
  EXPECT_EQ(run(StatefulSetHook(), unknown),
            "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"other\"");
}

TEST(DaemonSets, RollOneByOne) {
  TestWrite made(doc(workload(kSelector, kLabels)));
  EXPECT_EQ(run(DaemonSetHook(), made), "");
  EXPECT_EQ(
      json::int_at(made.object, {"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"}), 1);
}

TEST(ReplicationControllers, SelectByTheirTemplate) {
  TestWrite made(doc(
      R"({"metadata":{"name":"r","namespace":"n1"},"spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"a","image":"x"}]}}}})"));
  EXPECT_EQ(run(ReplicationControllerHook(), made), "");
  EXPECT_EQ(json::string_at(made.object, {"spec", "selector", "a"}), "b");
}

std::string job(std::string more, std::string policy = "Never") {
  return R"({"metadata":{"name":"j","namespace":"n1","uid":"u-1"},"spec":{)" + more +
         R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"restartPolicy":")" + policy +
         R"(","containers":[{"name":"a","image":"x"}]}}}})";
}

TEST(Jobs, GetTheirSelectorAndCounts) {
  TestWrite made(doc(job("")));
  EXPECT_EQ(run(JobHook(), made), "");
  EXPECT_EQ(json::string_at(made.object, {"spec", "selector", "matchLabels",
                                          "batch.kubernetes.io/controller-uid"}),
            "u-1");
  EXPECT_EQ(json::string_at(made.object, {"spec", "template", "metadata", "labels", "job-name"}),
            "j");
  EXPECT_EQ(json::string_at(made.object, {"metadata", "labels", "a"}), "b");
  EXPECT_EQ(json::int_at(made.object, {"spec", "completions"}), 1);
  EXPECT_EQ(json::int_at(made.object, {"spec", "backoffLimit"}), 6);
  TestWrite queue(doc(job(R"("parallelism":3,)")));
  EXPECT_EQ(run(JobHook(), queue), "");
  EXPECT_EQ(json::find(queue.object, {"spec", "completions"}), nullptr)
      << "a work queue has no number";
  TestWrite always(doc(job("", "Always")));
  EXPECT_EQ(
      run(JobHook(), always),
      "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"");
  TestWrite indexed(doc(job(R"("completionMode":"Indexed","parallelism":1,)")));
  EXPECT_EQ(run(JobHook(), indexed),
            "spec.completions: Required value: when completion mode is Indexed");
  TestWrite policy(doc(job(R"("podFailurePolicy":{"rules":[]},)", "OnFailure")));
  EXPECT_EQ(run(JobHook(), policy).find("spec.template.spec.restartPolicy: Invalid value"), 0U);
  TestWrite success(doc(job(R"("successPolicy":{"rules":[]},)")));
  EXPECT_EQ(run(JobHook(), success).find("spec.successPolicy: Invalid value"), 0U);
  json::Value other = made.object;
  json::set(other, {"spec", "template", "spec", "restartPolicy"}, "OnFailure");
  TestWrite changed(other, made.object);
  EXPECT_EQ(run(JobHook(), changed).find("spec.template: Invalid value"), 0U);
}

TEST(CronSchedules, Grammar) {
  for (const char* good :
       {"* * * * *", "*/5 0-23/2 1,15 jan-mar mon-fri", "0 0 ? * 0", "@hourly", "@every 1h30m"}) {
    EXPECT_EQ(check_cron_schedule(good), "") << good;
  }
  for (const char* bad :
       {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
        "* * * * 7", "5-1 * * * *", "*/0 * * * *", "a * * * *", "@never", "@every", "@every 5",
        "TZ=UTC * * * * *", "1- * * * *", ", * * * *", "-1 * * * *"}) {
    EXPECT_NE(check_cron_schedule(bad), "") << bad;
  }
}

TEST(Secrets, PlainTextBecomesData) {
  TestWrite write(doc(
      R"({"metadata":{"name":"s","namespace":"n1"},"data":{"a":"YQ=="},"stringData":{"b":"hello","a":"new"}})"));
  EXPECT_EQ(run(SecretHook(), write), "");
  EXPECT_EQ(json::string_at(write.object, {"data", "b"}), "aGVsbG8=");
  EXPECT_EQ(json::string_at(write.object, {"data", "a"}), "bmV3");
  EXPECT_EQ(json::find(write.object, {"stringData"}), nullptr);
  EXPECT_EQ(json::string_at(write.object, {"type"}), "Opaque");
}

TEST(Secrets, Rules) {
  struct Case {
    const char* why;
    const char* now;
    const char* before;
    const char* want;
  };
  const Case cases[] = {
      {"a path as key", R"({"type":"Opaque","data":{"../x":"YQ=="}})", "",
       "data[../x]: Invalid value"},
      {"TLS without its key", R"({"type":"kubernetes.io/tls","data":{"tls.crt":"YQ=="}})", "",
       "data[tls.key]: Required value"},
      {"docker without JSON",
       R"({"type":"kubernetes.io/dockerconfigjson","data":{".dockerconfigjson":"YQ=="}})", "",
       "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\""},
      {"another type", R"({"type":"x"})", R"({"type":"Opaque"})",
       "type: Invalid value: \"x\": field is immutable"},
      {"immutable data", R"({"type":"Opaque","immutable":true,"data":{"a":"YQ=="}})",
       R"({"type":"Opaque","immutable":true})",
       "data: Forbidden: field is immutable when `immutable` is set"},
      {"no longer immutable", R"({"type":"Opaque"})", R"({"type":"Opaque","immutable":true})",
       "immutable: Forbidden"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    TestWrite write(doc(c.now), *c.before == 0 ? json::Value() : doc(c.before));
    EXPECT_EQ(run(SecretHook(), write).find(c.want), 0U) << run(SecretHook(), write);
  }
}

TEST(ConfigMaps, Rules) {
  TestWrite twice(doc(R"({"data":{"k":"v"},"binaryData":{"k":"YQ=="}})"));
  EXPECT_EQ(run(ConfigMapHook(), twice),
            "data[k]: Invalid value: \"k\": duplicate of key present in binaryData");
  TestWrite large(json::Object{{"data", json::Object{{"k", std::string(1024 * 1024 + 1, 'x')}}}});
  EXPECT_NE(run(ConfigMapHook(), large), "");
  TestWrite frozen(doc(R"({"immutable":true,"data":{"k":"w"}})"),
                   doc(R"({"immutable":true,"data":{"k":"v"}})"));
  EXPECT_EQ(run(ConfigMapHook(), frozen),
            "data: Forbidden: field is immutable when `immutable` is set");
}

TEST(Namespaces, CarryTheirNameAndHoldTheirEnd) {
  TestWrite made(doc(R"({"metadata":{"name":"x","labels":{"kubernetes.io/metadata.name":"y"}}})"));
  EXPECT_EQ(run(NamespaceHook(), made), "");
  EXPECT_EQ(json::string_at(made.object, {"metadata", "labels", "kubernetes.io/metadata.name"}),
            "x");
  EXPECT_EQ(json::string_at(made.object, {"status", "phase"}), "Active");
  json::Value stripped = made.object;
  json::erase(stripped, {"spec"});
  TestWrite update(stripped, made.object);
  EXPECT_EQ(run(NamespaceHook(), update), "");
  EXPECT_EQ(json::array_at(update.object, {"spec", "finalizers"}).size(), 1U)
      << "only /finalize changes these";
  EXPECT_TRUE(NamespaceHook().holds_deletion(update.object));
  EXPECT_EQ(json::string_at(update.object, {"status", "phase"}), "Terminating");
  json::set(update.object, {"spec", "finalizers"}, json::Array{});
  EXPECT_FALSE(NamespaceHook().holds_deletion(update.object));
}

TEST(Ingresses, Rules) {
  const auto one = [](std::string path) {
    return R"({"metadata":{"name":"i","namespace":"n1"},"spec":{"rules":[{"host":"a.example.com","http":{"paths":[)" +
           path + "]}}]}}";
  };
  const std::string backend = R"("backend":{"service":{"name":"s","port":{"number":80}}})";
  struct Case {
    const char* why;
    std::string text, want;
  };
  const Case cases[] = {
      {"fine", one(R"({"path":"/","pathType":"Prefix",)" + backend + "}"), ""},
      {"nothing", R"({"metadata":{"name":"i"},"spec":{}})",
       "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified"},
      {"a relative path", one(R"({"path":"x","pathType":"Exact",)" + backend + "}"),
       "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an absolute path"},
      {"a path that climbs", one(R"({"path":"/a/../b","pathType":"Prefix",)" + backend + "}"),
       "spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'"},
      {"no port", one(R"({"path":"/","pathType":"Prefix","backend":{"service":{"name":"s"}}})"),
       "spec.rules[0].http.paths[0].backend.service.port: Required value: port name or number is "
       "required"},
      {"no backend", one(R"({"path":"/","pathType":"Prefix"})"),
       "spec.rules[0].http.paths[0].backend: Required value"},
      {"an address as host", R"({"spec":{"rules":[{"host":"10.0.0.1"}]}})",
       "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address"},
      {"a wildcard", R"({"spec":{"rules":[{"host":"*.example.com"}]}})", ""},
      {"a wildcard inside", R"({"spec":{"rules":[{"host":"a.*.com"}]}})",
       "spec.rules[0].host: Invalid value"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    TestWrite write(doc(c.text));
    const std::string found = run(IngressHook(), write);
    if (c.want.empty())
      EXPECT_EQ(found, "");
    else
      EXPECT_EQ(found.find(c.want), 0U) << found;
  }
}

TEST(RoleRules, WholeRulesAndFixedRoleRefs) {
  TestWrite mixed(doc(
      R"({"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"],"nonResourceURLs":["/x"]}]})"));
  EXPECT_EQ(run(RoleHook(), mixed).find("rules[0].nonResourceURLs: Invalid value"), 0U);
  TestWrite half(doc(R"({"rules":[{"verbs":["get"]}]})"));
  EXPECT_EQ(
      run(RoleHook(), half),
      "rules[0].apiGroups: Required value: resource rules must supply at least one api group | "
      "rules[0].resources: Required value: resource rules must supply at least one resource");
  TestWrite binding(
      doc(R"({"metadata":{"name":"b","namespace":"n1"},"roleRef":{"kind":"Role","name":"y"},"subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s"}]})"),
      doc(R"({"roleRef":{"kind":"Role","name":"x"}})"));
  binding.kind.namespaced = true;
  EXPECT_EQ(run(RoleBindingHook(), binding).find("roleRef: Invalid value"), 0U);
  EXPECT_EQ(json::string_at(json::array_at(binding.object, {"subjects"})[0], {"apiGroup"}),
            "rbac.authorization.k8s.io");
  EXPECT_EQ(json::string_at(json::array_at(binding.object, {"subjects"})[1], {"namespace"}), "n1");
}

TEST(Policies, Rules) {
  TestWrite both(doc(R"({"spec":{"minAvailable":1,"maxUnavailable":1}})"));
  EXPECT_NE(
      run(DisruptionBudgetHook(), both).find("minAvailable and maxUnavailable cannot be both set"),
      std::string::npos);
  TestWrite scaler(doc(R"({"spec":{"minReplicas":5,"maxReplicas":2}})"));
  EXPECT_EQ(run(AutoscalerHook(), scaler),
            "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`");
  TestWrite limits(
      doc(R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"min":{"cpu":"1"}}]}})"));
  EXPECT_EQ(run(LimitRangeHook(), limits), "");
  EXPECT_EQ(json::string_at(json::array_at(limits.object, {"spec", "limits"})[0],
                            {"defaultRequest", "cpu"}),
            "2");
  TestWrite upside_down(
      doc(R"({"spec":{"limits":[{"type":"Container","max":{"cpu":"1"},"min":{"cpu":"2"}}]}})"));
  EXPECT_EQ(run(LimitRangeHook(), upside_down)
                .find("spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than "
                      "max value 1"),
            0U);
  TestWrite hard(doc(R"({"spec":{"hard":{"pods":"many"}}})"));
  EXPECT_EQ(run(ResourceQuotaHook(), hard).find("spec.hard[pods]: Invalid value"), 0U);
}

TEST(Claims, GrowAndNothingElse) {
  const char* before =
      R"({"metadata":{"name":"c"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}})";
  TestWrite made(doc(before));
  EXPECT_EQ(run(ClaimHook(), made), "");
  TestWrite grown(
      doc(R"({"metadata":{"name":"c"},"spec":{"volumeName":"v","accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"2Gi"}}}})"),
      doc(before));
  EXPECT_EQ(run(ClaimHook(), grown), "");
  TestWrite shrunk(
      doc(R"({"metadata":{"name":"c"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Mi"}}}})"),
      doc(before));
  EXPECT_EQ(
      run(ClaimHook(), shrunk),
      "spec.resources.requests.storage: Forbidden: field can not be less than previous value");
  TestWrite modes(
      doc(R"({"metadata":{"name":"c"},"spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"1Gi"}}}})"),
      doc(before));
  EXPECT_EQ(run(ClaimHook(), modes).find("spec: Forbidden: spec is immutable after creation"), 0U);
}

TEST(PriorityClasses, StayWhatTheyAre) {
  TestWrite high(doc(R"({"metadata":{"name":"x"},"value":1000000001})"));
  EXPECT_NE(run(PriorityClassHook(), high), "");
  TestWrite reserved(doc(R"({"metadata":{"name":"system-x"},"value":1})"));
  EXPECT_NE(run(PriorityClassHook(), reserved), "");
  TestWrite changed(doc(R"({"metadata":{"name":"x"},"value":2})"),
                    doc(R"({"metadata":{"name":"x"},"value":1})"));
  EXPECT_EQ(run(PriorityClassHook(), changed),
            "value: Forbidden: may not be changed in an update.");
}

}  // namespace
}  // namespace atl::apiserver

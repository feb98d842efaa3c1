#include <gmock/gmock.h>

#include <chrono>

#include "api/schema/kind.h"
#include "base/core/clock.h"

namespace atl::api {
namespace {

using ::testing::ElementsAre;

const KindSet& kinds() {
  static const KindSet set = [] {
    auto loaded = KindSet::builtin();
    if (!loaded) ADD_FAILURE() << loaded.error().message();
    return *std::move(loaded);
  }();
  return set;
}

json::Value tree(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

const Kind& kind(std::string_view group, std::string_view version, std::string_view name) {
  const KindPtr found =
      kinds().find(Gvk{std::string(group), std::string(version), std::string(name)});
  EXPECT_TRUE(found) << group << name;
  return *found;
}

TEST(Builtin, HoldsEveryKindOfTheRelease) {
  EXPECT_EQ(kinds().all().size(), 68u);
  EXPECT_EQ(kinds().all().front()->gvr.group, "");
  const Kind& pod = kind("", "v1", "Pod");
  EXPECT_EQ(pod.gvr.resource, "pods");
  EXPECT_THAT(pod.short_names, ElementsAre("po"));
  EXPECT_TRUE(pod.namespaced);
  EXPECT_TRUE(pod.subresource("eviction"));
  EXPECT_EQ(pod.subresource("eviction")->kind.group, "policy");
  EXPECT_TRUE(pod.subresource("eviction")->schema);
  EXPECT_FALSE(pod.subresource("log")->schema);
  EXPECT_EQ(pod.columns.size(), 9u);
  EXPECT_FALSE(kind("coordination.k8s.io", "v1", "Lease").unconditional_update);
}

TEST(Builtin, LoadsInMilliseconds) {
  const auto start = SystemClock().monotonic();
  const auto set = KindSet::builtin();
  const auto took = SystemClock().monotonic() - start;
  ASSERT_TRUE(set);
  RecordProperty("microseconds",
                 int(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  EXPECT_LT(took, std::chrono::milliseconds(500)) << "15 ms at -O2 is the aim";
}

TEST(Builtin, PreferredVersionsComeFirst) {
  const auto versions = kinds().versions("autoscaling", "horizontalpodautoscalers");
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0]->gvr.version, "v2");
  EXPECT_EQ(kinds().group_versions().front().text(), "v1");
}

TEST(Builtin, BodiesOfSubresourcesAndOptionsHaveSchemas) {
  EXPECT_TRUE(kinds().schema_of({"autoscaling", "v1", "Scale"}));
  EXPECT_TRUE(kinds().schema_of({"policy", "v1", "Eviction"}));
  EXPECT_TRUE(kinds().schema_of({"authentication.k8s.io", "v1", "TokenRequest"}));
  EXPECT_TRUE(kinds().schema_of({"apps", "v1", "DeleteOptions"}));
  EXPECT_FALSE(kinds().schema_of({"apps", "v1", "Nothing"}));
}

TEST(Builtin, MergeRulesComeWithTheSchema) {
  const Schema* pod_spec = kinds().definitions()->find("io.k8s.api.core.v1.PodSpec");
  ASSERT_TRUE(pod_spec);
  const Schema* containers = pod_spec->property("containers")->schema;
  EXPECT_EQ(containers->list_type, ListType::kMap);
  EXPECT_THAT(containers->list_map_keys, ElementsAre("name"));
  EXPECT_TRUE(containers->patch_merge);
  EXPECT_EQ(containers->patch_merge_key, "name");
  EXPECT_TRUE(pod_spec->property("volumes")->schema->patch_retain_keys);
  const Schema* deployment = kinds().definitions()->find("io.k8s.api.apps.v1.DeploymentSpec");
  EXPECT_TRUE(deployment->property("strategy")->schema->patch_retain_keys);
}

TEST(Defaults, APodGetsWhatTheApiPromises) {
  json::Value pod =
      tree(R"({"metadata":{"name":"a","creationTimestamp":null},"spec":{"hostNetwork":false,
      "containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],"livenessProbe":{"timeoutSeconds":0}}]}})");
  apply_defaults(*kind("", "v1", "Pod").schema, pod);
  EXPECT_EQ(json::string_at(pod, {"spec", "restartPolicy"}), "Always");
  EXPECT_EQ(json::string_at(pod, {"spec", "dnsPolicy"}), "ClusterFirst");
  EXPECT_EQ(json::int_at(pod, {"spec", "terminationGracePeriodSeconds"}), 30);
  EXPECT_FALSE(json::find(pod, {"spec", "hostNetwork"})) << "false is the same as none";
  EXPECT_FALSE(json::find(pod, {"metadata", "creationTimestamp"}));
  EXPECT_TRUE(json::find(pod, {"status"})) << "an empty status is shown";
  const json::Value& container = json::array_at(pod, {"spec", "containers"})[0];
  EXPECT_EQ(json::string_at(container, {"terminationMessagePolicy"}), "File");
  EXPECT_EQ(json::int_at(container, {"livenessProbe", "timeoutSeconds"}), 1);
  EXPECT_EQ(json::string_at(json::array_at(container, {"ports"})[0], {"protocol"}), "TCP");
  EXPECT_TRUE(json::find(container, {"resources"}));
}

TEST(Defaults, AreStableWhenAppliedTwice) {
  json::Value once = tree(R"({"spec":{"template":{"spec":{"containers":[{"name":"c"}]}}}})");
  apply_defaults(*kind("apps", "v1", "Deployment").schema, once);
  json::Value twice = once;
  apply_defaults(*kind("apps", "v1", "Deployment").schema, twice);
  EXPECT_EQ(json::serialize(once), json::serialize(twice));
  EXPECT_EQ(json::string_at(once, {"spec", "strategy", "type"}), "RollingUpdate");
  EXPECT_EQ(json::int_at(once, {"spec", "replicas"}), 1);
}

TEST(Defaults, WhatTheyAddIsBounded) {
  SchemaSet set;
  const auto schema = parse_structural(
      set,
      tree(R"({"type":"object","properties":{"l":{"type":"array","items":{"type":"object",
      "properties":{"x":{"type":"string","default":")" +
           std::string(100'000, 'x') + R"("}}}}}})"),
      "s");
  ASSERT_TRUE(schema) << schema.error().message();
  json::Value document;
  json::set(document, {"l"}, json::Array(10'000, json::Value(json::Object())));
  apply_defaults(**schema, document);
  EXPECT_LT(json::serialize(document).size(), 70u << 20);
}

TEST(Defaults, QuantitiesAreCanonical) {
  json::Value pod = tree(R"({"spec":{"containers":[{"name":"c","resources":{"limits":
      {"a":1,"b":"1000m","c":"1024Mi","d":"0.5","e":"100.5m","f":"8Ei","g":"x","h":0.1}}}],"volumes":[{"name":"v","emptyDir":{"sizeLimit":"2048Ki"}}]}})");
  apply_defaults(*kind("", "v1", "Pod").schema, pod);
  const json::Value& container = json::array_at(pod, {"spec", "containers"})[0];
  EXPECT_EQ(json::serialize(*json::find(container, {"resources", "limits"})),
            R"({"a":"1","b":"1","c":"1Gi","d":"500m","e":"101m","f":"8Ei","g":"x","h":"100m"})");
  EXPECT_EQ(json::string_at(json::array_at(pod, {"spec", "volumes"})[0], {"emptyDir", "sizeLimit"}),
            "2Mi");
}

TEST(Defaults, TimesAreCanonical) {
  struct Case {
    const char* what;
    const char* text;
    const char* seconds;
    const char* micros;
  };
  const Case cases[] = {
      {"as Kubernetes writes them", "2026-11-25T12:00:00Z", "2026-11-25T12:00:00Z",
       "2026-11-25T12:00:00.000000Z"},
      {"a JavaScript Date", "2026-11-25T12:00:00.000Z", "2026-11-25T12:00:00Z",
       "2026-11-25T12:00:00.000000Z"},
      {"parts of a second are cut, not rounded", "2026-11-25T12:00:00.9999999Z",
       "2026-11-25T12:00:00Z", "2026-11-25T12:00:00.999999Z"},
      {"another zone", "2026-11-25T01:30:00+02:00", "2026-11-24T23:30:00Z",
       "2026-11-24T23:30:00.000000Z"},
      {"what is no time", "yesterday", "yesterday", "yesterday"},
      {"never", "9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59.5Z"},
      {"long ago", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    json::Value lease = json::Object{};
    json::set(lease, {"metadata", "creationTimestamp"}, c.text);
    json::set(lease, {"spec", "renewTime"}, c.text);
    apply_defaults(*kind("coordination.k8s.io", "v1", "Lease").schema, lease);
    EXPECT_EQ(json::string_at(lease, {"metadata", "creationTimestamp"}), c.seconds);
    EXPECT_EQ(json::string_at(lease, {"spec", "renewTime"}), c.micros);
  }
}

TEST(Prune, LooksIntoTheSchemasOfDefinitions) {
  json::Value crd = tree(
      R"({"spec":{"versions":[{"name":"v1","schema":{"openAPIV3Schema":{"type":"object","foo":1,
      "properties":{"a":{"type":"array","items":{"type":"string","bar":1}},"b":{"additionalProperties":{"baz":1}},"c":{"additionalProperties":true}}}}}]}})");
  std::vector<std::string> unknown;
  prune(*kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition").schema, crd, &unknown);
  EXPECT_THAT(unknown,
              ::testing::UnorderedElementsAre(
                  "spec.versions[0].schema.openAPIV3Schema.foo",
                  "spec.versions[0].schema.openAPIV3Schema.properties.a.items.bar",
                  "spec.versions[0].schema.openAPIV3Schema.properties.b.additionalProperties.baz"));
}

TEST(Prune, NamesUnknownFieldsByPath) {
  json::Value doc = tree(
      R"({"apiVersion":"apps/v1","kind":"Deployment","foo":1,"metadata":{"name":"a","labels":{"x":"y"}},
      "spec":{"template":{"spec":{"containers":[{"name":"c","foo":1,"env":[{"name":"A","bar":2}]}]}}}})");
  std::vector<std::string> unknown;
  prune(*kind("apps", "v1", "Deployment").schema, doc, &unknown);
  EXPECT_THAT(unknown,
              ::testing::UnorderedElementsAre("foo", "spec.template.spec.containers[0].foo",
                                              "spec.template.spec.containers[0].env[0].bar"));
  EXPECT_EQ(json::string_at(doc, {"metadata", "labels", "x"}), "y");
  EXPECT_FALSE(json::find(doc, {"foo"}));
}

}  // namespace
}  // namespace atl::api

#include <gtest/gtest.h>

#include "api/patch/patch.h"
#include "api/schema/kind.h"

// Strategic merge patches on built-in kinds: what kubectl sends.
namespace atl::api {
namespace {

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

const Schema& schema_of(const Gvk& gvk) {
  static const KindSet kinds = *KindSet::builtin();
  return *kinds.find(gvk)->schema;
}

struct Case {
  const char* why;
  Gvk kind;
  const char* document;
  const char* patch;
  const char* want;
};

TEST(StrategicPatchBuiltin, FollowsTheMarkersOfTheKinds) {
  const Case cases[] = {
      {"set image",
       {"apps", "v1", "Deployment"},
       R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x:1","args":["1"]},{"name":"b","image":"y:1"}]}}}})",
       R"({"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"b"}],"containers":[{"image":"x:2","name":"a"}]}}}})",
       R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"x:2","args":["1"]},{"name":"b","image":"y:1"}]}}}})"},
      {"set env removes one",
       {"apps", "v1", "Deployment"},
       R"({"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}]}}}})",
       R"({"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"$setElementOrder/env":[{"name":"B"}],"env":[{"$patch":"delete","name":"A"}],"name":"a"}]}}}})",
       R"({"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"B","value":"2"}]}]}}}})"},
      {"the strategy of a deployment retains keys",
       {"apps", "v1", "Deployment"},
       R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})",
       R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})",
       R"({"spec":{"strategy":{"type":"Recreate"}}})"},
      {"a volume changes its source",
       {"", "v1", "Pod"},
       R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
       R"({"spec":{"volumes":[{"$retainKeys":["name","configMap"],"name":"v","configMap":{"name":"c"}}]}})",
       R"({"spec":{"volumes":[{"name":"v","configMap":{"name":"c"}}]}})"},
      {"cordon",
       {"", "v1", "Node"},
       R"({"spec":{"podCIDR":"x"}})",
       R"({"spec":{"unschedulable":true}})",
       R"({"spec":{"podCIDR":"x","unschedulable":true}})"},
      {"taints are replaced",
       {"", "v1", "Node"},
       R"({"spec":{"taints":[{"key":"a"}]}})",
       R"({"spec":{"taints":[{"key":"b"}]}})",
       R"({"spec":{"taints":[{"key":"b"}]}})"},
      {"conditions merge by type",
       {"", "v1", "Node"},
       R"({"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"X"}]}})",
       R"({"status":{"$setElementOrder/conditions":[{"type":"Ready"},{"type":"X"}],"conditions":[{"type":"Ready","status":"True"}]}})",
       R"({"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"X"}]}})"},
      {"finalizers merge",
       {"", "v1", "ConfigMap"},
       R"({"metadata":{"finalizers":["a","b"]}})",
       R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})",
       R"({"metadata":{"finalizers":["b"]}})"},
      {"ports of a service merge by port",
       {"", "v1", "Service"},
       R"({"spec":{"ports":[{"port":80,"name":"a"}]}})",
       R"({"spec":{"ports":[{"port":80,"targetPort":8080}]}})",
       R"({"spec":{"ports":[{"port":80,"name":"a","targetPort":8080}]}})"},
      {"the selector of a budget is replaced",
       {"policy", "v1", "PodDisruptionBudget"},
       R"({"spec":{"selector":{"matchLabels":{"a":"1"}}}})",
       R"({"spec":{"selector":{"matchLabels":{"b":"2"}}}})",
       R"({"spec":{"selector":{"matchLabels":{"b":"2"}}}})"},
      {"data of a config map merges",
       {"", "v1", "ConfigMap"},
       R"({"data":{"a":"1","b":"2"}})",
       R"({"data":{"a":null,"c":"3"}})",
       R"({"data":{"b":"2","c":"3"}})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = strategic_patch(schema_of(c.kind), parsed(c.document), parsed(c.patch));
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(json::serialize(*result), json::serialize(parsed(c.want)));
  }
}

}  // namespace
}  // namespace atl::api

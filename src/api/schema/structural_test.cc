#include <gmock/gmock.h>

#include "api/schema/kind.h"

namespace atl::api {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

json::Value tree(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

std::vector<std::string> complaints(std::string_view schema) {
  SchemaSet set;
  const auto parsed = parse_structural(set, tree(schema), "s");
  std::vector<std::string> out;
  if (parsed) return out;
  EXPECT_EQ(parsed.error().code(), Code::kInvalid);
  for (const Cause& cause : parsed.error().causes())
    out.push_back(cause.field + ": " + cause.message);
  return out;
}

struct Rule {
  const char* name;
  const char* schema;
  std::vector<std::string> expected;
};

void expect_rules(std::initializer_list<Rule> rules) {
  for (const Rule& rule : rules) {
    SCOPED_TRACE(rule.name);
    EXPECT_EQ(complaints(rule.schema), rule.expected);
  }
}

TEST(Structural, EveryValueHasATypeOutsideOfBranches) {
  expect_rules({
      {"a good schema",
       R"({"type":"object","properties":{"spec":{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}}})",
       {}},
      {"a field without a type",
       R"({"type":"object","properties":{"spec":{}}})",
       {"s.properties[spec].type: Required value: must not be empty for specified object fields"}},
      {"an item without a type",
       R"({"type":"object","properties":{"l":{"type":"array","items":{}}}})",
       {"s.properties[l].items.type: Required value: must not be empty for specified array items"}},
      {"no type at the root",
       R"({"properties":{}})",
       {"s.type: Required value: must not be empty at the root"}},
      {"an array at the root",
       R"({"type":"array","items":{"type":"string"}})",
       {"s.type: Invalid value: \"array\": must be object at the root"}},
      {"a reference",
       R"({"type":"object","properties":{"a":{"type":"object","$ref":"#/x"}}})",
       {"s.properties[a].$ref: Forbidden: $ref is not supported"}},
      {"an array without items",
       R"({"type":"object","properties":{"a":{"type":"array"}}})",
       {"s.properties[a].items: Required value: must be specified"}},
      {"properties beside additionalProperties",
       R"({"type":"object","properties":{"a":{"type":"object","properties":{"x":{"type":"string"}},"additionalProperties":{"type":"string"}}}})",
       {"s.properties[a].additionalProperties: Forbidden: additionalProperties and properties are "
        "mutual exclusive"}},
      {"unique items",
       R"({"type":"object","properties":{"a":{"type":"array","uniqueItems":true,"items":{"type":"string"}}}})",
       {"s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the "
        "runtime complexity becomes quadratic"}},
      {"a type inside anyOf",
       R"({"type":"object","properties":{"a":{"type":"string","anyOf":[{"type":"string"}]}}})",
       {"s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"}},
      {"int-or-string may be spelled with anyOf",
       R"({"type":"object","properties":{"a":{"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}]}}})",
       {}},
      {"a field known only inside oneOf",
       R"({"type":"object","properties":{"a":{"type":"object","oneOf":[{"required":["x"],"properties":{"x":{}}}]}}})",
       {"s.properties[a].properties[x]: Required value: because it is defined in "
        "s.properties[a].oneOf[0].properties[x]"}},
  });
}

TEST(Structural, MetadataListsPatternsAndDefaults) {
  expect_rules({
      {"labels in the schema of metadata",
       R"({"type":"object","properties":{"metadata":{"type":"object","properties":{"labels":{"type":"object"}}}}})",
       {"s.properties[metadata]: Forbidden: must not specify anything other than name and "
        "generateName, but metadata is implicitly specified"}},
      {"a list map without keys",
       R"({"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map","items":{"type":"object"}}}})",
       {"s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if "
        "x-kubernetes-list-type is map"}},
      {"a key that is optional",
       R"({"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
        "items":{"type":"object","properties":{"k":{"type":"string"}}}}}})",
       {"s.properties[a].items.properties[k].default: Required value: this property is in "
        "x-kubernetes-list-map-keys, so it must have a default or be a required property"}},
      {"a broken expression",
       R"({"type":"object","properties":{"a":{"type":"string","pattern":"("}}})",
       {"s.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but "
        "isn't: missing ): ("}},
      {"a default with unknown fields",
       R"({"type":"object","properties":{"a":{"type":"object","properties":{"x":{"type":"string"}},"default":{"y":1}}}})",
       {"s.properties[a].default: Invalid value: {\"y\":1}: must not have unknown fields"}},
      {"not a schema", R"([1])", {"s: Invalid value: [1]: must be a schema object"}},
      {"an unknown type",
       R"({"type":"object","properties":{"a":{"type":"text"}}})",
       {"s.properties[a].type: Unsupported value: \"text\": supported values: \"array\", "
        "\"boolean\", \"integer\", \"number\", \"object\", \"string\""}},
  });
}

constexpr const char* kCronTab =
    R"({"type":"object","properties":{"spec":{"type":"object","required":["cron"],"properties":{
    "cron":{"type":"string","pattern":"^\\S+$","description":"When."},"replicas":{"type":"integer","default":1,"minimum":1},
    "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"known":{"type":"object","properties":{"a":{"type":"string"}}}}},
    "port":{"x-kubernetes-int-or-string":true},"maybe":{"type":"string","nullable":true,"default":"x"},
    "template":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true},
    "labels":{"type":"object","additionalProperties":{"type":"string"}},"any":{"type":"object","additionalProperties":true}},
    "x-kubernetes-validations":[{"rule":"self.replicas > 0","message":"some"}]},"status":{"type":"object","properties":{"n":{"type":"integer"}}}}})";

TEST(Structural, PrunesAndDefaultsCustomObjects) {
  SchemaSet set;
  const auto schema = parse_structural(set, tree(kCronTab), "s");
  ASSERT_TRUE(schema) << schema.error().message();
  json::Value object = tree(
      R"({"apiVersion":"a/v1","kind":"CronTab","metadata":{"name":"x","foo":1,"labels":{"a":"b"}},"extra":1,
      "spec":{"cron":"*","replicas":null,"maybe":null,"free":{"b":1,"known":{"a":"1","z":2}},"labels":{"k":"v"},"any":{"x":[1]},"nope":{},
      "template":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n","bar":1},"spec":{"x":1}}}})");
  std::vector<std::string> unknown;
  prune(**schema, object, &unknown);
  EXPECT_THAT(unknown,
              ::testing::UnorderedElementsAre("extra", "metadata.foo", "spec.nope",
                                              "spec.free.known.z", "spec.template.metadata.bar"));
  apply_defaults(**schema, object);
  EXPECT_EQ(
      json::serialize(*json::find(object, {"spec"})),
      R"({"any":{"x":[1]},"cron":"*","free":{"b":1,"known":{"a":"1"}},"labels":{"k":"v"},"maybe":null,"replicas":1,)"
      R"("template":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"n"},"spec":{"x":1}}})");
  EXPECT_EQ((*schema)->property("spec")->schema->cel.size(), 1u);
}

TEST(OpenApi, ACustomSchemaComesBackAsItWas) {
  SchemaSet set;
  const auto schema = parse_structural(set, tree(kCronTab), "s");
  ASSERT_TRUE(schema);
  const json::Value out = to_openapi(**schema);
  EXPECT_TRUE(json::equal(*json::find(out, {"properties", "status"}),
                          *json::find(tree(kCronTab), {"properties", "status"})));
  const json::Value& spec = *json::find(out, {"properties", "spec"});
  for (const std::string_view field : {"cron", "replicas", "free", "port", "maybe", "labels"}) {
    const json::Value original = tree(kCronTab);
    EXPECT_TRUE(json::equal(*json::find(spec, {"properties", field}),
                            *json::find(original, {"properties", "spec", "properties", field})))
        << json::serialize(*json::find(spec, {"properties", field}));
  }
  EXPECT_EQ(json::string_at(json::array_at(out, {"properties", "metadata", "allOf"})[0], {"$ref"}),
            "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
}

TEST(OpenApi, BuiltInDefinitionsKeepTheirReferences) {
  const auto kinds = KindSet::builtin();
  ASSERT_TRUE(kinds);
  const json::Value spec = to_openapi(*kinds->definitions()->find("io.k8s.api.core.v1.PodSpec"));
  EXPECT_EQ(json::string_at(spec, {"properties", "containers", "items", "$ref"}),
            "#/components/schemas/io.k8s.api.core.v1.Container");
  EXPECT_EQ(json::string_at(spec, {"properties", "containers", "x-kubernetes-patch-merge-key"}),
            "name");
  EXPECT_EQ(json::string_at(spec, {"properties", "restartPolicy", "default"}), "Always");
  EXPECT_THAT(json::array_at(spec, {"required"}), ElementsAre(json::Value("containers")));
  const json::Value quantity =
      to_openapi(*kinds->definitions()->find("io.k8s.apimachinery.pkg.api.resource.Quantity"));
  EXPECT_EQ(json::array_at(quantity, {"oneOf"}).size(), 2u);
  for (const auto& [name, schema] : kinds->definitions()->definitions())
    EXPECT_TRUE(to_openapi(*schema).is_object()) << name;
}

}  // namespace
}  // namespace atl::api

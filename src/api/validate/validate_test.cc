#include "api/validate/validate.h"

#include <gmock/gmock.h>

#include "api/validate/findings.h"
#include "api/validate/names.h"

namespace atl::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const KindSet& kinds() {
  static const KindSet set = *KindSet::builtin();
  return set;
}

json::Value tree(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

std::vector<std::string> lines(const Findings& findings) {
  std::vector<std::string> out;
  for (const Cause& finding : findings) out.push_back(finding.field + ": " + finding.message);
  return out;
}

TEST(CheckSchema, BuiltInKindsSpeakAsKubernetesDoes) {
  const struct {
    const char* name;
    Gvk gvk;
    const char* document;
    std::vector<std::string> expected;
  } cases[] = {
      {"a good pod",
       {"", "v1", "Pod"},
       R"({"spec":{"containers":[{"name":"c","image":"i"}]}})",
       {}},
      {"no containers", {"", "v1", "Pod"}, R"({"spec":{}})", {"spec.containers: Required value"}},
      {"an empty list of containers",
       {"", "v1", "Pod"},
       R"({"spec":{"containers":[]}})",
       {"spec.containers: Required value"}},
      {"no name, no image",
       {"", "v1", "Pod"},
       R"({"spec":{"containers":[{}]}})",
       {"spec.containers[0].image: Required value", "spec.containers[0].name: Required value"}},
      {"an unknown word",
       {"", "v1", "Pod"},
       R"({"spec":{"restartPolicy":"Sometimes","containers":[{"name":"c","image":"i"}]}})",
       {"spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", "
        "\"Never\", \"OnFailure\""}},
      {"a port out of range",
       {"", "v1", "Service"},
       R"({"spec":{"ports":[{"port":70000}]}})",
       {"spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"}},
      {"negative replicas",
       {"apps", "v1", "Deployment"},
       R"({"spec":{"replicas":-1,"selector":{},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})",
       {"spec.replicas: Invalid value: -1: must be greater than or equal to 0"}},
      {"a text where a number belongs",
       {"apps", "v1", "Deployment"},
       R"({"spec":{"replicas":"x","selector":{},"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})",
       {"spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: "
        "\"string\""}},
      {"no selector",
       {"apps", "v1", "Deployment"},
       R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})",
       {"spec.selector: Required value"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    json::Value document = tree(c.document);
    const KindPtr kind = kinds().find(c.gvk);
    apply_defaults(*kind->schema, document);
    EXPECT_EQ(lines(check_schema(*kind->schema, document)), c.expected);
  }
}

Schema custom(SchemaType type) {
  Schema schema;
  schema.custom = true;
  schema.type = type;
  return schema;
}

TEST(CheckSchema, CustomKindsSpeakAsOpenApiDoes) {
  Schema number = custom(SchemaType::kInteger);
  number.limits.minimum = 1;
  number.limits.maximum = 10;
  number.limits.multiple_of = 2;
  EXPECT_THAT(
      lines(check_schema(number, 0, "spec.n")),
      ElementsAre("spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1"));
  EXPECT_THAT(
      lines(check_schema(number, 11, "spec.n")),
      ElementsAre("spec.n: Invalid value: 11: spec.n in body should be less than or equal to 10",
                  "spec.n: Invalid value: 11: spec.n in body should be a multiple of 2"));
  Schema text = custom(SchemaType::kString);
  text.limits.max_length = 3;
  text.limits.pattern = "^a+$";
  text.limits.compiled = *Pattern::compile("^a+$");
  EXPECT_THAT(lines(check_schema(text, "bbbb", "spec.t")),
              ElementsAre("spec.t: Too long: may not be more than 3 bytes",
                          "spec.t: Invalid value: \"bbbb\": spec.t in body should match '^a+$'"));
  EXPECT_THAT(check_schema(text, "aaa", "spec.t"), IsEmpty());
  EXPECT_THAT(
      lines(check_schema(text, nullptr, "spec.t")),
      ElementsAre(
          "spec.t: Invalid value: \"null\": spec.t in body must be of type string: \"null\""));
  Schema list = custom(SchemaType::kArray);
  list.items = &text;
  list.list_type = ListType::kSet;
  list.limits.max_items = 2;
  EXPECT_THAT(lines(check_schema(list, tree(R"(["a","aa","a"])"), "spec.l")),
              ElementsAre("spec.l: Too many: 3: must have at most 2 items",
                          "spec.l[2]: Duplicate value: \"a\""));
}

TEST(CheckSchema, JunctorsOfCustomKinds) {
  Schema a = custom(SchemaType::kAny), b = custom(SchemaType::kAny);
  a.required = {"a"};
  b.required = {"b"};
  Schema either = custom(SchemaType::kObject);
  either.one_of = {&a, &b};
  EXPECT_THAT(check_schema(either, tree(R"({"a":1})"), "spec"), IsEmpty());
  EXPECT_THAT(lines(check_schema(either, tree(R"({"a":1,"b":2})"), "spec")),
              ElementsAre("spec: Invalid value: \"\": \"spec\" must validate one and only one "
                          "schema (oneOf). Found 2 valid alternatives"));
  Schema none = custom(SchemaType::kObject);
  none.not_schema = &a;
  EXPECT_THAT(
      lines(check_schema(none, tree(R"({"a":1})"), "spec")),
      ElementsAre("spec: Invalid value: \"\": \"spec\" must not validate the schema (not)"));
}

TEST(CheckSchema, NestedBranchesDoNotMultiply) {
  // 2^60 evaluations where each level looked at its branch twice.
  std::vector<Schema> levels(60, custom(SchemaType::kAny));
  levels.back().required = {"missing"};
  for (size_t i = 0; i + 1 < levels.size(); ++i)
    (i % 2 == 0 ? levels[i].any_of : levels[i].all_of) = {&levels[i + 1]};
  EXPECT_FALSE(check_schema(levels.front(), tree(R"({"a":1})"), "spec").empty());
}

TEST(CheckSchema, FindingsAreBounded) {
  Schema text = custom(SchemaType::kString);
  Schema list = custom(SchemaType::kArray);
  list.items = &text;
  json::Array numbers(100'000, json::Value(1));
  EXPECT_LE(check_schema(list, json::Value(std::move(numbers))).size(), 256u);
}

TEST(CheckSchema, Formats) {
  const struct {
    const char* format;
    const char* text;
    bool good;
  } cases[] = {
      {"date", "2024-02-29", true},
      {"date", "2023-02-29", false},
      {"date-time", "2024-01-01T00:00:00Z", true},
      {"date-time", "2024-01-01", false},
      {"duration", "1h30m", true},
      {"duration", "5 apples", false},
      {"ipv4", "10.0.0.1", true},
      {"ipv4", "10.0.0.256", false},
      {"ipv6", "::1", true},
      {"cidr", "10.0.0.0/8", true},
      {"cidr", "10.0.0.0/33", false},
      {"uuid", "123e4567-e89b-12d3-a456-426614174000", true},
      {"uuid", "123e4567", false},
      {"hostname", "a.example", true},
      {"hostname", "-a", false},
      {"email", "a@b.example", true},
      {"email", "a b@c", false},
      {"uri", "https://a.example/x", true},
      {"uri", "no scheme", false},
      {"mac", "00:11:22:aa:bb:cc", true},
      {"mac", "00:11", false},
      {"byte", "aGk=", true},
      {"byte", "a", false},
      {"unknown-format", "anything", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.format) + " " + c.text);
    Schema schema = custom(SchemaType::kString);
    schema.format = c.format;
    EXPECT_EQ(check_schema(schema, c.text).empty(), c.good);
  }
}

TEST(Names, RulesOfKinds) {
  const struct {
    const char* name;
    NameRule rule;
    std::string text;
    bool good;
  } cases[] = {
      {"a subdomain", NameRule::kSubdomain, "a.b-c.d1", true},
      {"upper case", NameRule::kSubdomain, "Web", false},
      {"254 characters", NameRule::kSubdomain, std::string(254, 'a'), false},
      {"a dash at the end", NameRule::kSubdomain, "a-", false},
      {"an empty part", NameRule::kSubdomain, "a..b", false},
      {"a label", NameRule::kLabel, "a-1", true},
      {"dots in a label", NameRule::kLabel, "a.b", false},
      {"64 characters in a label", NameRule::kLabel, std::string(64, 'a'), false},
      {"a role", NameRule::kPathSegment, "system:controller:x", true},
      {"a slash in a role", NameRule::kPathSegment, "a/b", false},
      {"the parent folder", NameRule::kPathSegment, "..", false},
      {"an address", NameRule::kIp, "10.0.0.1", true},
      {"an address in a long form", NameRule::kIp, "0:0:0:0:0:0:0:1", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(object_name(c.rule, c.text, NamePart::kWhole).empty(), c.good);
  }
  EXPECT_TRUE(object_name(NameRule::kSubdomain, "web-", NamePart::kPrefix).empty());
}

TEST(Metadata, NamesWhatIsWrong) {
  const Kind& pod = *kinds().find(Gvk{"", "v1", "Pod"});
  EXPECT_THAT(
      check_metadata(
          pod,
          tree(
              R"({"metadata":{"name":"a","namespace":"b","labels":{"x/y":"1"},"finalizers":["a.b/c"]}})")),
      IsEmpty());
  EXPECT_THAT(lines(check_metadata(pod, tree(R"({"metadata":{}})"))),
              ElementsAre("metadata.name: Required value: name or generateName is required",
                          "metadata.namespace: Required value"));
  const auto bad = lines(check_metadata(
      pod, tree(R"({"metadata":{"name":"A_b","namespace":"b","labels":{"k":"a b","x/y/z":"1"},
      "annotations":{"":"x"},"finalizers":["a b"],"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x"}]}})")));
  ASSERT_EQ(bad.size(), 7u) << ::testing::PrintToString(bad);
  EXPECT_EQ(bad[0],
            "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of "
            "lower case alphanumeric "
            "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for "
            "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
  EXPECT_THAT(bad[1], HasSubstr("metadata.labels: Invalid value: \"a b\": a valid label must be an "
                                "empty string or consist of"));
  EXPECT_THAT(bad[2], HasSubstr("with an optional DNS subdomain prefix"));
  EXPECT_THAT(bad[5],
              HasSubstr("metadata.ownerReferences.uid: Invalid value: \"\": must not be empty"));
  const Kind& node = *kinds().find(Gvk{"", "v1", "Node"});
  EXPECT_THAT(lines(check_metadata(node, tree(R"({"metadata":{"name":"a","namespace":"b"}})"))),
              ElementsAre("metadata.namespace: Forbidden: not allowed on this type"));
}

TEST(Metadata, AnnotationsAreBoundedTogether) {
  const Kind& pod = *kinds().find(Gvk{"", "v1", "Pod"});
  json::Value document = tree(R"({"metadata":{"name":"a","namespace":"b"}})");
  json::set(document, {"metadata", "annotations", "a"}, json::String(200'000, 'x'));
  EXPECT_THAT(check_metadata(pod, document), IsEmpty());
  json::set(document, {"metadata", "annotations", "b"}, json::String(70'000, 'x'));
  EXPECT_THAT(lines(check_metadata(pod, document)),
              ElementsAre("metadata.annotations: Too long: may not be more than 262144 bytes"));
}

TEST(Metadata, SomeFieldsNeverChange) {
  const json::Value before = tree(
      R"({"metadata":{"name":"a","uid":"1","generation":2,"deletionTimestamp":"t","finalizers":["a/b"]}})");
  EXPECT_THAT(
      check_metadata_update(
          before,
          tree(
              R"({"metadata":{"name":"a","uid":"1","generation":2,"resourceVersion":"7","deletionTimestamp":"t"}})")),
      IsEmpty());
  EXPECT_THAT(
      lines(check_metadata_update(
          before,
          tree(
              R"({"metadata":{"name":"b","uid":"1","generation":1,"deletionTimestamp":"t","finalizers":["a/b","x/y"]}})"))),
      ElementsAre("metadata.finalizers: Forbidden: no new finalizers can be added if the object is "
                  "being deleted, found new finalizers []string{\"x/y\"}",
                  "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
                  "metadata.generation: Invalid value: 1: must not be decremented",
                  "metadata.name: Invalid value: \"b\": field is immutable"));
}

TEST(Invalid, ReadsAsKubernetesPrintsIt) {
  const Gvk gvk{"apps", "v1", "Deployment"};
  const Error one = invalid(gvk, "web", {required_value("spec.x")});
  EXPECT_EQ(one.code(), Code::kInvalid);
  EXPECT_EQ(one.message(), "Deployment.apps \"web\" is invalid: spec.x: Required value");
  const Error two = invalid(
      {"", "v1", "Pod"}, "a\"b",
      {required_value("spec.x"), forbidden_value("spec.y", "no"), required_value("spec.x")});
  EXPECT_EQ(two.message(),
            "Pod \"a\\\"b\" is invalid: [spec.x: Required value, spec.y: Forbidden: no]");
  EXPECT_EQ(two.causes().size(), 3u);
}

}  // namespace
}  // namespace atl::api

#include "base/text/jsonpath.h"

#include <gmock/gmock.h>

namespace atl {
namespace {

json::Value sample() {
  return *json::parse(R"({"kind":"List","items":[
      {"metadata":{"name":"a","labels":{"app.io/x":"1"}},"status":{"phase":"Running","restarts":3,
        "conditions":[{"type":"Ready","status":"True"},{"type":"Other","status":"False"}]}},
      {"metadata":{"name":"b"},"status":{"phase":"Pending","restarts":0}}],"n":[0,1,2,3,4,5]})");
}

TEST(JsonPath, Selects) {
  const struct {
    const char* name;
    const char* path;
    const char* expected;
  } cases[] = {
      {"a field", ".kind", R"(["List"])"},
      {"in braces", "{.kind}", R"(["List"])"},
      {"from the root", "$.kind", R"(["List"])"},
      {"without a dot", "kind", R"(["List"])"},
      {"all items", ".items[*].metadata.name", R"(["a","b"])"},
      {"one item", ".items[1].metadata.name", R"(["b"])"},
      {"from the end", ".items[-1].metadata.name", R"(["b"])"},
      {"past the end", ".items[7].metadata.name", "[]"},
      {"a slice", ".n[1:3]", "[1,2]"},
      {"a slice with a step", ".n[::2]", "[0,2,4]"},
      {"a slice from the end", ".n[-2:]", "[4,5]"},
      {"several indices", ".n[0,2]", "[0,2]"},
      {"several names", ".items[0].metadata['name','nope']", R"(["a"])"},
      {"a name in quotes", ".items[0]['metadata']['labels']['app.io/x']", R"(["1"])"},
      {"escaped dots", ".items[0].metadata.labels.app\\.io/x", R"(["1"])"},
      {"a filter", R"(.items[0].status.conditions[?(@.type=="Ready")].status)", R"(["True"])"},
      {"a filter with spaces and single quotes",
       ".items[?( @.status.phase != 'Running' )].metadata.name", R"(["b"])"},
      {"a filter on numbers", ".items[?(@.status.restarts>=3)].metadata.name", R"(["a"])"},
      {"a filter on presence", ".items[?(@.status.conditions)].metadata.name", R"(["a"])"},
      {"a filter in a filter",
       R"(.items[?(@.status.conditions[?(@.type=="Ready")].status=="True")].metadata.name)",
       R"(["a"])"},
      {"everywhere", "..phase", R"(["Running","Pending"])"},
      {"all members", ".items[1].status.*", R"(["Pending",0])"},
      {"a missing step", ".items[0].nope.deeper", "[]"},
      {"a field of a text", ".kind.x", "[]"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const json::Value root = sample();
    const auto path = JsonPath::parse(c.path);
    ASSERT_TRUE(path) << path.error().message();
    json::Array found;
    for (const json::Value* value : path->select(root)) found.push_back(*value);
    EXPECT_EQ(json::serialize(json::Value(found)), c.expected);
    const json::Value* first = path->first(root);
    EXPECT_EQ(first ? json::serialize(*first) : "",
              found.empty() ? "" : json::serialize(found.front()));
  }
}

TEST(JsonPath, RefusesWithThePlace) {
  for (const char* bad : {"", ".a[", ".a[]", ".a[x]", ".a['x]", ".a[?(@.b==)]", ".a[?(@.b=1)]",
                          ".a b", ".a]", ".a[1:2:0]", ".a[?(]", "{.a", "..", ".a[?@.b]"}) {
    const auto path = JsonPath::parse(bad);
    ASSERT_FALSE(path) << bad;
    EXPECT_EQ(path.error().code(), Code::kInvalid);
    EXPECT_THAT(path.error().message(), ::testing::StartsWith("JSONPath: "));
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += ".a[?(@";
  EXPECT_FALSE(JsonPath::parse(deep));
}

TEST(JsonPath, SelectionsAreBounded) {
  json::Array numbers(1000, json::Value(json::Array(1000, json::Value(1))));
  const json::Value root(std::move(numbers));
  EXPECT_EQ(JsonPath::parse("..*")->select(root).size(), JsonPath::kSelectedMax);
}

TEST(JsonPathTemplate, Renders) {
  const struct {
    const char* name;
    const char* text;
    const char* expected;
  } cases[] = {
      {"text alone", "hello", "hello"},
      {"a value", "{.kind}", "List"},
      {"several values", "{.items[*].metadata.name}", "a b"},
      {"text around", "kind={.kind};", "kind=List;"},
      {"a range", R"({range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end})",
       "a\tRunning\nb\tPending\n"},
      {"a range in a range",
       R"({range .items[*]}{.metadata.name}:{range .status.conditions[*]}{.type},{end};{end})",
       "a:Ready,Other,;b:;"},
      {"an object as JSON", "{.items[1].status}", R"({"phase":"Pending","restarts":0})"},
      {"nothing for what is missing", "[{.nope}]", "[]"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto text = JsonPathTemplate::parse(c.text);
    ASSERT_TRUE(text) << text.error().message();
    const auto out = text->render(sample());
    ASSERT_TRUE(out);
    EXPECT_EQ(*out, c.expected);
  }
  for (const char* bad : {"{range .a}x", "{end}", "{.a", "{}", "{'x}"})
    EXPECT_FALSE(JsonPathTemplate::parse(bad)) << bad;
}

}  // namespace
}  // namespace atl

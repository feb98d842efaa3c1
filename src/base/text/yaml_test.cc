#include "base/text/yaml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/text/base64.h"
#include "base/text/utf8.h"

namespace atl::yaml {
namespace {

struct Case {
  const char* name;
  const char* yaml;
  const char* json;
};

TEST(Yaml, ReadsWhatKubectlReads) {
  const Case cases[] = {
      {"plain words are strings", "a: b c", R"({"a":"b c"})"},
      {"yes, on and y are true", "[yes, On, y, TRUE]", "[true,true,true,true]"},
      {"no, off and N are false", "[no, Off, N, FALSE]", "[false,false,false,false]"},
      {"quoted words stay strings", R"(["yes", 'on', "1"])", R"(["yes","on","1"])"},
      {"octal in both spellings", "[0777, 0o17, 0644]", "[511,15,420]"},
      {"hex, binary, separators, signs", "[0x1F, 0b101, 1_000, +3, -4]", "[31,5,1000,3,-4]"},
      {"08 is no octal number but a number", "[08, 1.5, 1e3, .5, 6.]", "[8,1.5,1000,0.5,6]"},
      {"large integers stay exact", "[9223372036854775807, 18446744073709551615]",
       "[9223372036854775807,18446744073709551615]"},
      {"words for nothing", "{a: ~, b: null, c: , d: NULL}",
       R"({"a":null,"b":null,"c":null,"d":null})"},
      {"dates and versions are strings", "[2024-01-02, 1.2.3, 12:30, v1]",
       R"(["2024-01-02","1.2.3","12:30","v1"])"},
      {"quantities are strings", "{cpu: 100m, mem: 1Gi, x: 1}",
       R"({"cpu":"100m","mem":"1Gi","x":1})"},
      {"keys become text", "{1: a, true: b, 1.5: c}", R"({"1":"a","1.5":"c","true":"b"})"},
      {"anchors and aliases", "a: &x {k: 1}\nb: *x", R"({"a":{"k":1},"b":{"k":1}})"},
      {"merge keys give way to the mapping's own", "a: &x {k: 1, l: 2}\nb:\n  k: 3\n  <<: *x",
       R"({"a":{"k":1,"l":2},"b":{"k":3,"l":2}})"},
      {"the first of several merged mappings wins",
       "a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}",
       R"({"a":{"k":1},"b":{"k":2,"m":3},"c":{"k":1,"m":3}})"},
      {"tags of the core", "[!!str 1, !!int \"2\", !!float 3, !!binary aGk=]", R"(["1",2,3,"hi"])"},
      {"literal blocks", "a: |\n  x\n  y\n", R"({"a":"x\ny\n"})"},
      {"folded blocks", "a: >-\n  x\n  y\n", R"({"a":"x y"})"},
      {"JSON is YAML", R"({"a": [1, {"b": null}]})", R"({"a":[1,{"b":null}]})"},
      {"nothing is null", "# only a comment\n", "null"},
      {"a separator at the end is no document", "a: 1\n---\n", R"({"a":1})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto value = parse(c.yaml);
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_EQ(json::serialize(*value), c.json);
  }
}

TEST(Yaml, RefusesWithTheLine) {
  const struct {
    const char* name;
    std::string yaml;
    const char* part;
  } cases[] = {
      {"a tab as indentation", "a:\n\tb: 1", "yaml: line 2"},
      {"two keys on one line", "a: b: c", "yaml: line 1: mapping values are not allowed"},
      {"an unknown tag", "a: !ruby/object x", "unknown tag"},
      {"an unknown alias", "a: *x", "unknown anchor 'x'"},
      {"a value that contains itself", "a: &x [*x]", "unknown anchor 'x'"},
      {"infinity", "a: .inf", "no number"},
      {"a list as a key", "? [a]\n: b", "a key must be"},
      {"null as a key", "~: b", "a key must be"},
      {"two documents", "a: 1\n---\nb: 2", "one document is expected"},
      {"broken UTF-8", "a: \"\xff\xfe\"", "yaml: "},
      {"an int tag on a word", "a: !!int x", "cannot decode `x` as a !!int"},
      {"merging a number", "{<<: 1}", "map merge requires"},
      {"bytes that are no text", "a: !!binary /w==", "no text"},
      {"too deep", std::string(5000, '['), "yaml: line 1"},
      {"an open quote", "a: 'x", "yaml: line"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto value = parse(c.yaml);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code(), Code::kBadRequest);
    EXPECT_THAT(value.error().message(), ::testing::HasSubstr(c.part));
  }
}

TEST(Yaml, AliasBombsAreDefused) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += fmt::format("{0}: &{0} [*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1}]\n", c,
                        char(c - 1));
  }
  const auto value = parse(bomb);
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message(), ::testing::HasSubstr("excessive aliasing"));
  // One long text, many times.
  std::string wide = "a: &a " + std::string(1 << 20, 'x') + "\nb: [";
  for (int i = 0; i < 1000; ++i) wide += "*a,";
  EXPECT_FALSE(parse(wide + "]"));
}

TEST(Yaml, SeveralDocuments) {
  const auto all = parse_all("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n");
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(json::serialize((*all)[1]), R"({"b":2})");
}

TEST(Yaml, DuplicateKeysAreNamedByPath) {
  ParseOptions options;
  std::vector<std::string> twice;
  options.duplicate_keys = &twice;
  const auto value = parse("a: {x: 1, x: 2}\nl: [{k: 1, k: 2}]\na: 3", options);
  ASSERT_TRUE(value);
  EXPECT_THAT(twice, ::testing::ElementsAre("a.x", "l[0].k", "a"));
  EXPECT_EQ(json::serialize(*value), R"({"a":3,"l":[{"k":2}]})");
}

TEST(Yaml, PrintsAsKubectlDoes) {
  const auto value = json::parse(
      R"({"kind":"Pod","spec":{"containers":[{"name":"c","args":["-c","echo hi"],"env":[]}],"x":{}},
      "data":{"conf":"a\nb\n","on":"yes","n":"1","t":"12:30:45","s":"a: b","e":"","last":"x\ny","v":1.5,"star":"*"}})");
  ASSERT_TRUE(value);
  EXPECT_EQ(to_yaml(*value), R"(data:
  conf: |
    a
    b
  e: ""
  last: |-
    x
    y
  "n": "1"
  "on": "yes"
  s: 'a: b'
  star: '*'
  t: "12:30:45"
  v: 1.5
kind: Pod
spec:
  containers:
  - args:
    - -c
    - echo hi
    env: []
    name: c
  x: {}
)");
}

TEST(Yaml, WhatIsPrintedReadsBackTheSame) {
  const char* texts[] = {
      "",    " ",    "a",          "yes",     "1",     "-1",           "0x1",         "1e3",
      "~",   "null", "- a",        "a: b",    "a #b",  "#a",           "'",           "\"",
      "a'b", "\t",   "a\n",        "\na",     "a\n\n", " a\nb",        "é",           "\x01",
      "@a",  "`a",   "%a",         "[a",      "{a",    "a:",           ":a",          "?",
      "-",   "---",  "...",        "<<",      "=",     "!a",           "&a",          "*a",
      "|",   ">",    "2001-01-01", "0o7",     "1_000", "\xe2\x80\xa8", "a,b",         "a]",
      "\n",  "\n\n", "x \ny",      "x\n y\n", "\x7f",  "\xc2\x85",     "\xef\xbb\xbf"};
  json::Array list;
  json::Object map;
  for (const char* text : texts) {
    list.emplace_back(text);
    map[text] = json::Value{
        json::Array{text, json::Array{text, json::Array{}}, json::Object{{text, text}}}};
  }
  map["list"] = std::move(list);
  const json::Value before(std::move(map));
  const auto after = parse(to_yaml(before));
  ASSERT_TRUE(after) << after.error().message() << "\n" << to_yaml(before);
  EXPECT_EQ(json::serialize(*after), json::serialize(before)) << to_yaml(before);
}

TEST(Base64, EncodesAndDecodesStrictly) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "\xff\x00z"})
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  EXPECT_EQ(base64_encode("foob"), "Zm9vYg==");
  for (const char* bad : {"a", "ab=", "a===", "ab c", "abc\n", "=abc", "ab=c"})
    EXPECT_FALSE(base64_decode(bad)) << bad;
}

TEST(Utf8, OnlyWellFormedTextPasses) {
  for (const char* good :
       {"", "a", "é", "€", "\xf0\x9f\x8c\x8a", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(valid_utf8(good)) << good;
  for (const char* bad : {"\xff", "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xe2\x82"})
    EXPECT_FALSE(valid_utf8(bad));
}

}  // namespace
}  // namespace atl::yaml

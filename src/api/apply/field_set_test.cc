#include "api/apply/field_set.h"

#include <gtest/gtest.h>

#include "base/core/rng.h"

namespace atl::api::fields {
namespace {

FieldSet set_of(std::string_view json_text) {
  auto set = from_json(*json::parse(json_text));
  EXPECT_TRUE(set) << json_text;
  return set ? *std::move(set) : FieldSet();
}
std::string text(const FieldSet& set) {
  return json::serialize(json::Value(to_json(set)));
}

TEST(FieldSet, ReadsAndWritesFieldsV1) {
  const char* const same[] = {
      "{}",
      R"({"f:a":{}})",
      R"({"f:a":{".":{},"f:b":{}}})",
      R"({"f:a":{"f:b":{"k:{\"name\":\"x\"}":{".":{},"f:c":{}}},"f:d":{"v:\"s\"":{},"v:1":{},"v:true":{}}}})",
      R"({"f:a":{"i:0":{},"i:12":{}}})",
      R"({"f:":{},"f:.":{},"f:f:x":{}})",
  };
  for (const char* c : same) EXPECT_EQ(text(set_of(c)), c);
}

TEST(FieldSet, BringsElementsIntoOneText) {
  EXPECT_EQ(text(set_of(R"({"k:{ \"b\": 1, \"a\":\"\\u003c\"}":{}})")),
            R"({"k:{\"a\":\"<\",\"b\":1}":{}})");
  EXPECT_EQ(text(set_of(R"({"v:1.0":{"f:x":{}},"v:1":{"f:y":{}}})")),
            R"({"v:1":{"f:x":{},"f:y":{}}})");
  EXPECT_EQ(text(set_of(R"({"f:a":{".":{}}})")), R"({"f:a":{}})");
  EXPECT_EQ(text(set_of(R"({"x:future":{"f:y":{}},"f:a":{}})")), R"({"f:a":{}})");
  EXPECT_EQ(text(set_of(R"({"i:007":{}})")), R"({"i:7":{}})");
}

TEST(FieldSet, RefusesMalformedElements) {
  for (const char* bad :
       {"[]", "1", R"({"":{}})", R"({"f":{}})", R"({"abc":{}})", R"({"k:1":{}})", R"({"k:{":{}})",
        R"({"v:":{}})", R"({"i:x":{}})", R"({"f:a":1})", R"({"f:a":{"f:b":[]}})"}) {
    EXPECT_FALSE(from_json(*json::parse(bad))) << bad;
  }
}

TEST(FieldSet, OperationsAreOfMembers) {
  const FieldSet a = set_of(R"({"f:a":{".":{},"f:b":{},"f:c":{}},"f:d":{}})");
  const FieldSet b = set_of(R"({"f:a":{"f:b":{},"f:x":{}}})");
  EXPECT_EQ(text(unite(a, b)), R"({"f:a":{".":{},"f:b":{},"f:c":{},"f:x":{}},"f:d":{}})");
  EXPECT_EQ(text(intersect(a, b)), R"({"f:a":{"f:b":{}}})");
  EXPECT_EQ(text(subtract(a, b)), R"({"f:a":{".":{},"f:c":{}},"f:d":{}})");
  EXPECT_EQ(text(subtract(b, a)), R"({"f:a":{"f:x":{}}})");
  EXPECT_EQ(text(subtract(a, set_of(R"({"f:a":{}})"))), R"({"f:a":{"f:b":{},"f:c":{}},"f:d":{}})")
      << "what is below a member stays";
  EXPECT_EQ(text(subtract_trees(a, set_of(R"({"f:a":{}})"))), R"({"f:d":{}})");
  EXPECT_EQ(a.size(), 4u);
  EXPECT_TRUE(a.contains(Path{"f:a"}));
  EXPECT_FALSE(b.contains(Path{"f:a"})) << "a parent is no member";
}

TEST(FieldSet, PathsReadAsTheFieldPrintsThem) {
  EXPECT_EQ(path_text(Path{"f:spec", "f:containers", R"(k:{"name":"web"})", "f:image"}),
            R"(.spec.containers[name="web"].image)");
  EXPECT_EQ(path_text(Path{"f:ports", R"(k:{"containerPort":80,"protocol":"TCP"})"}),
            R"(.ports[containerPort=80,protocol="TCP"])");
  EXPECT_EQ(path_text(Path{"f:finalizers", R"(v:"a/b")"}), R"(.finalizers[="a/b"])");
  EXPECT_EQ(path_text(Path{"f:x", "i:3"}), ".x[3]");
  EXPECT_EQ(path_text(Path{"f:metadata", "f:labels", "f:app.kubernetes.io/name"}),
            ".metadata.labels.app.kubernetes.io/name");
}

// A random set over few names, so that sets meet.
Node random_node(Rng& rng, std::string key, int depth) {
  Node node{std::move(key), rng.below(3) == 0, {}};
  if (depth > 0) {
    for (const char* name : {"f:a", "f:b", R"(k:{"n":1})", R"(v:"x")"}) {
      if (rng.below(2) == 0) node.children.push_back(random_node(rng, name, depth - 1));
    }
  }
  std::erase_if(node.children, [](const Node& child) { return child.empty(); });
  return node;
}
FieldSet random_set(Rng& rng) {
  return FieldSet(random_node(rng, "", 4));
}

TEST(FieldSet, TheFormsInPlaceAgreeWithTheSets) {
  SeededRng rng(7);
  for (int round = 0; round < 500; ++round) {
    const FieldSet a = random_set(rng);
    const FieldSet b = random_set(rng);
    ASSERT_EQ(set_of(text(a)), a);
    json::Object united = to_json(a);
    unite_json(united, b.root());
    ASSERT_EQ(json::serialize(json::Value(united)), text(unite(a, b))) << text(a) << "\n"
                                                                       << text(b);
    json::Object rest = to_json(a);
    subtract_json(rest, b.root());
    ASSERT_EQ(json::serialize(json::Value(rest)), text(subtract(a, b))) << text(a) << "\n"
                                                                        << text(b);
    ASSERT_EQ(unite(subtract(a, b), intersect(a, b)), a);
    ASSERT_TRUE(intersect(subtract(a, b), b).empty());
  }
}

}  // namespace
}  // namespace atl::api::fields

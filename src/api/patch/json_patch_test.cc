#include <gtest/gtest.h>

#include "api/patch/patch.h"

namespace atl::api {
namespace {

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *std::move(value) : json::Value();
}

struct Case {
  const char* why;
  const char* document;
  const char* patch;
  const char* want;
};

TEST(JsonPatch, Applies) {
  const Case cases[] = {
      {"add a member", R"({"a":1})", R"([{"op":"add","path":"/b","value":2}])", R"({"a":1,"b":2})"},
      {"add replaces a member", R"({"a":1})", R"([{"op":"add","path":"/a","value":2}])",
       R"({"a":2})"},
      {"add into an array shifts", R"([1,3])", R"([{"op":"add","path":"/1","value":2}])",
       "[1,2,3]"},
      {"add at the end by index", R"([1])", R"([{"op":"add","path":"/1","value":2}])", "[1,2]"},
      {"add at the end by dash", R"({"a":[1]})", R"([{"op":"add","path":"/a/-","value":2}])",
       R"({"a":[1,2]})"},
      {"add at the root", R"({"a":1})", R"([{"op":"add","path":"","value":[1]}])", "[1]"},
      {"an empty key is a key", R"({})", R"([{"op":"add","path":"/","value":1}])", R"({"":1})"},
      {"escapes", R"({"a/b":{"m~n":1}})", R"([{"op":"replace","path":"/a~1b/m~0n","value":2}])",
       R"({"a/b":{"m~n":2}})"},
      {"~01 is ~1, not /", R"({"~1":1})", R"([{"op":"replace","path":"/~01","value":2}])",
       R"({"~1":2})"},
      {"remove from an array", R"([1,2,3])", R"([{"op":"remove","path":"/1"}])", "[1,3]"},
      {"remove a member", R"({"a":1,"b":2})", R"([{"op":"remove","path":"/a"}])", R"({"b":2})"},
      {"replace the root", "1", R"([{"op":"replace","path":"","value":2}])", "2"},
      {"move", R"({"a":{"x":1},"b":{}})", R"([{"op":"move","from":"/a/x","path":"/b/y"}])",
       R"({"a":{},"b":{"y":1}})"},
      {"move within an array", R"([1,2,3])", R"([{"op":"move","from":"/0","path":"/2"}])",
       "[2,3,1]"},
      {"move onto itself", R"({"a":1})", R"([{"op":"move","from":"/a","path":"/a"}])",
       R"({"a":1})"},
      {"copy", R"({"a":[1]})", R"([{"op":"copy","from":"/a","path":"/a/-"}])", R"({"a":[1,[1]]})"},
      {"test compares numbers by value", R"({"a":1.0})", R"([{"op":"test","path":"/a","value":1}])",
       R"({"a":1.0})"},
      {"test ignores the order of keys", R"({"a":{"x":1,"y":2}})",
       R"([{"op":"test","path":"/a","value":{"y":2,"x":1}}])", R"({"a":{"x":1,"y":2}})"},
      {"test with null passes on a missing member", R"({"a":{}})",
       R"([{"op":"test","path":"/a/b","value":null}])", R"({"a":{}})"},
      {"operations see each other", R"({})",
       R"([{"op":"add","path":"/a","value":{}},{"op":"add","path":"/a/b","value":1}])",
       R"({"a":{"b":1}})"},
      {"digits are a key of an object", R"({"0":1})", R"([{"op":"remove","path":"/0"}])", "{}"},
      {"nothing to do", R"({"a":1})", "[]", R"({"a":1})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = json_patch(parsed(c.document), parsed(c.patch));
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(json::serialize(*result), json::serialize(parsed(c.want)));
  }
}

struct Refusal {
  const char* why;
  const char* document;
  const char* patch;
  Code code;
  const char* message;  // contained
};

TEST(JsonPatch, Refuses) {
  const Refusal cases[] = {
      {"not an array", "{}", "{}", Code::kBadRequest, "error decoding patch"},
      {"an operation is no object", "{}", "[1]", Code::kBadRequest, "must be an object"},
      {"no path", "{}", R"([{"op":"remove"}])", Code::kInvalid, "needs a path"},
      {"no value", "{}", R"([{"op":"add","path":"/a"}])", Code::kInvalid, "needs a value"},
      {"no from", "{}", R"([{"op":"copy","path":"/a"}])", Code::kInvalid, "needs from"},
      {"unknown operation", "{}", R"([{"op":"frob","path":"/a"}])", Code::kInvalid,
       "Unexpected kind: frob"},
      {"path without slash", "{}", R"([{"op":"remove","path":"a"}])", Code::kInvalid,
       "must start with /"},
      {"half an escape", "{}", R"([{"op":"remove","path":"/a~"}])", Code::kInvalid,
       "~ stands before 0 or 1"},
      {"test fails", R"({"a":1})", R"([{"op":"test","path":"/a","value":2}])", Code::kInvalid,
       "testing value /a failed: test failed"},
      {"test on nothing", R"({})", R"([{"op":"test","path":"/a","value":2}])", Code::kInvalid,
       "test failed"},
      {"add below nothing", "{}", R"([{"op":"add","path":"/a/b","value":1}])", Code::kInvalid,
       R"(add operation does not apply: doc is missing path: "/a/b": missing value)"},
      {"add below a scalar", R"({"a":1})", R"([{"op":"add","path":"/a/b","value":1}])",
       Code::kInvalid, "doc is missing path"},
      {"replace nothing", "{}", R"([{"op":"replace","path":"/a","value":1}])", Code::kInvalid,
       "doc is missing key"},
      {"remove nothing", "{}", R"([{"op":"remove","path":"/a"}])", Code::kInvalid,
       "doc is missing key"},
      {"remove the root", "{}", R"([{"op":"remove","path":""}])", Code::kInvalid, "root"},
      {"index past the end", "[1]", R"([{"op":"add","path":"/2","value":1}])", Code::kInvalid,
       "invalid index"},
      {"negative index", "[1]", R"([{"op":"remove","path":"/-1"}])", Code::kInvalid,
       "invalid index"},
      {"leading zero", "[1,2]", R"([{"op":"remove","path":"/01"}])", Code::kInvalid,
       "invalid index"},
      {"dash names no element", "[1]", R"([{"op":"remove","path":"/-"}])", Code::kInvalid,
       "invalid index"},
      {"copy from nothing", "{}", R"([{"op":"copy","from":"/x","path":"/a"}])", Code::kInvalid,
       "from path"},
      {"move into itself", R"({"a":{}})", R"([{"op":"move","from":"/a","path":"/a/b"}])",
       Code::kInvalid, "lies inside"},
  };
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.why);
    const auto result = json_patch(parsed(c.document), parsed(c.patch));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), c.code);
    EXPECT_NE(result.error().message().find(c.message), std::string::npos)
        << result.error().message();
  }
}

json::Value repeated(const char* operation, size_t times) {
  json::Array patch;
  for (size_t i = 0; i < times; ++i) patch.push_back(parsed(operation));
  return patch;
}

TEST(JsonPatch, BoundsWhatASmallPatchCanCost) {
  const auto many = json_patch(json::Object(), repeated(R"({"op":"add","path":"/a","value":1})",
                                                        kJsonPatchOperationsMax + 1));
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code(), Code::kTooLarge);
  EXPECT_EQ(many.error().message(),
            "The allowed maximum operations in a JSON patch is 10000, got 10001");

  const auto doubled = json_patch(parsed(R"({"a":["0123456789"]})"),
                                  repeated(R"({"op":"copy","from":"/a","path":"/a/-"})", 100));
  ASSERT_FALSE(doubled);
  EXPECT_EQ(doubled.error().code(), Code::kTooLarge);

  // The root copied into its own depths doubles the nesting each time.
  std::string path = "/a";
  json::Array deep;
  for (int i = 0; i < 12; ++i) {
    deep.push_back(json::Object{{"op", "copy"}, {"from", ""}, {"path", path}});
    path += path;
  }
  const auto nested = json_patch(parsed("{}"), deep);
  ASSERT_FALSE(nested);
  EXPECT_EQ(nested.error().code(), Code::kInvalid);
  EXPECT_NE(nested.error().message().find("nested deeper"), std::string::npos);

  json::Array wide(200'000, json::Value(1));
  const auto shifts = json_patch(json::Value(std::move(wide)),
                                 repeated(R"({"op":"add","path":"/0","value":1})", 10'000));
  ASSERT_FALSE(shifts);
  EXPECT_EQ(shifts.error().code(), Code::kTooLarge);
}

TEST(MergePatch, TheTableOfTheRfc) {
  const Case cases[] = {
      {"change", R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {"add", R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {"remove", R"({"a":"b"})", R"({"a":null})", "{}"},
      {"remove one of two", R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {"an array is replaced", R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {"by an array", R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {"objects merge", R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {"arrays never merge", R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {"the root is replaced", R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {"by an array too", R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {"by null too", R"({"a":"foo"})", "null", "null"},
      {"by a string too", R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {"a null that stands stays", R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {"an object takes the place of an array", "[1,2]", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {"nulls in what is new are dropped", "{}", R"({"a":{"bb":{"ccc":null}}})",
       R"({"a":{"bb":{}}})"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(json::serialize(merge_patch(parsed(c.document), parsed(c.patch))),
              json::serialize(parsed(c.want)));
  }
}

}  // namespace
}  // namespace atl::api

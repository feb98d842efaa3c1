#include "base/text/json.h"

#include <gtest/gtest.h>

namespace atl::json {
namespace {

TEST(Json, CanonicalTextSortsKeysAndKeepsNumbers) {
  const auto v =
      parse(R"({"b": [1, 2.5, -3, 18446744073709551615, 1E3], "a": {"y": null, "x": "\u00e9\n"}})");
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_EQ(serialize(*v),
            "{\"a\":{\"x\":\"é\\n\",\"y\":null},\"b\":[1,2.5,-3,18446744073709551615,1000]}");
}

TEST(Json, DuplicateKeysAreNamedByPath) {
  std::vector<std::string> twice;
  ParseOptions options;
  options.duplicate_keys = &twice;
  const auto v = parse(R"({"a":{"x":1,"x":2},"l":[{"k":1},{"k":1,"k":2}],"a":3})", options);
  ASSERT_TRUE(v);
  EXPECT_EQ(twice, (std::vector<std::string>{"a.x", "l[1].k", "a"}));
}

TEST(Json, ManyKeysAndManyDuplicatesStayCheap) {
  std::vector<std::string> twice;
  ParseOptions options;
  options.duplicate_keys = &twice;
  std::string text = "{\"" + std::string(2000, 'x') + "\":{";
  for (int i = 200'000; i > 0; --i) text += "\"" + std::to_string(i % 100'000) + "\":1,";
  ASSERT_TRUE(parse(text + "\"end\":1}}", options));
  EXPECT_EQ(twice.size(), kDuplicatesMax);
  EXPECT_LE(twice[0].size(), kPathBytesMax + 3);
}

TEST(Json, BadInputIsRefused) {
  for (const std::string bad : {"", "{", "nul", "{\"a\":}", "[1,]", "{} x", "\"\xff\"",
                                "\"\\ud800\"", "1e400", "NaN", "01"}) {
    const auto v = parse(bad);
    EXPECT_FALSE(v) << bad;
  }
  const auto deep = parse(std::string(1'000'000, '['));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code(), Code::kBadRequest);
}

TEST(Json, PathsReadThroughHoles) {
  Value v;
  set(v, {"spec", "replicas"}, 3);
  EXPECT_EQ(int_at(v, {"spec", "replicas"}), 3);
  EXPECT_EQ(int_at(v, {"spec", "replicas", "x"}, 7), 7);
  EXPECT_EQ(string_at(v, {"spec", "replicas"}, "none"), "none");
  EXPECT_TRUE(erase(v, {"spec", "replicas"}));
  EXPECT_FALSE(erase(v, {"spec", "replicas"}));
  EXPECT_TRUE(object_at(v, {"spec"}).empty());
}

TEST(Json, EqualityIgnoresOrderAndNumberForm) {
  EXPECT_TRUE(equal(*parse(R"({"a":1,"b":[1.0]})"), *parse(R"({"b":[1],"a":1.0})")));
  EXPECT_FALSE(equal(*parse("[1,2]"), *parse("[2,1]")));
}

}  // namespace
}  // namespace atl::json

#include "base/text/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>

#include "base/core/rng.h"

namespace atl::json {
namespace {

TEST(Json, CanonicalTextSortsKeysAndKeepsNumbers) {
  const auto v =
      parse(R"({"b": [1, 2.5, -3, 18446744073709551615, 1E3], "a": {"y": null, "x": "\u00e9\n"}})");
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_EQ(serialize(*v),
            "{\"a\":{\"x\":\"é\\n\",\"y\":null},\"b\":[1,2.5,-3,18446744073709551615,1000]}");
}

// At every place of a word, so that no escape is missed where characters are looked at by eights.
TEST(Json, StringsAreEscapedWhereverTheyNeedIt) {
  struct Case {
    const char* what;
    std::string_view raw;
    const char* escaped;
  };
  const Case cases[] = {
      {"a quote", "\"", "\\\""},
      {"a backslash", "\\", "\\\\"},
      {"a line feed", "\n", "\\n"},
      {"a carriage return", "\r", "\\r"},
      {"a tab", "\t", "\\t"},
      {"a backspace", "\b", "\\b"},
      {"a form feed", "\f", "\\f"},
      {"a control character without a letter", "\x1f", "\\u001f"},
      {"NUL", std::string_view("\0", 1), "\\u0000"},
      {"the first that is plain", " ", " "},
      {"the character behind the quote", "#", "#"},
      {"DEL, which stays", "\x7f", "\x7f"},
      {"two bytes", "é", "é"},
      {"four bytes", "😀", "😀"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    for (size_t before = 0; before < 18; ++before) {
      const std::string around(before, 'x');
      const std::string raw = around + std::string(c.raw) + around + std::string(c.raw);
      const std::string want = "\"" + around + c.escaped + around + c.escaped + "\"";
      ASSERT_EQ(serialize(Value(raw)), want) << before;
      ASSERT_EQ(*parse(want), Value(raw)) << before;
    }
  }
}

TEST(Json, NumbersPrintAsGoPrintsThem) {
  struct Case {
    const char* what;
    const char* text;
    const char* want;
  };
  const Case cases[] = {
      {"a fraction", "0.1", "0.1"},
      {"more digits than a double has", "0.1000000000000000055511151231257827", "0.1"},
      {"a whole number with a fraction", "3.0", "3"},
      {"an exponent that makes it whole", "1e20", "100000000000000000000"},
      {"large enough for an exponent", "1e21", "1e+21"},
      {"small, still written out", "0.000001", "0.000001"},
      {"small enough for an exponent", "0.00000012", "1.2e-7"},
      {"a negative fraction", "-12.50", "-12.5"},
      {"beyond 53 bits, whole", "9007199254740993", "9007199254740993"},
      {"the largest of int64", "9223372036854775807", "9223372036854775807"},
      {"the largest of uint64", "18446744073709551615", "18446744073709551615"},
      {"above uint64: as a double", "18446744073709551616", "18446744073709552000"},
      {"halfway between two doubles", "9007199254740993.0", "9007199254740992"},
      {"the smallest denormal", "5e-324", "5e-324"},
      {"the largest double", "1.7976931348623157e308", "1.7976931348623157e+308"},
      {"below the smallest", "1e-400", "0"},
      {"minus zero", "-0.0", "0"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const auto value = parse(c.text);
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_EQ(serialize(*value), c.want);
  }
  EXPECT_FALSE(parse("1e400")) << "no double is that large";
}

// What is read is what was written, bit by bit, and a second round changes nothing.
TEST(Json, DoublesDoNotDrift) {
  SeededRng rng(7);
  for (int i = 0; i < 50'000; ++i) {
    const double wanted = std::bit_cast<double>(rng.next());
    if (!std::isfinite(wanted)) continue;
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, wanted).ptr;
    const auto first = parse(std::string_view(text, size_t(end - text)));
    ASSERT_TRUE(first) << text;
    ASSERT_EQ(first->to_number<double>(), wanted) << text;
    const std::string once = serialize(*first);
    const auto second = parse(once);
    ASSERT_TRUE(second) << once;
    ASSERT_EQ(second->to_number<double>(), wanted) << once;
    ASSERT_EQ(serialize(*second), once);
  }
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

#include <gtest/gtest.h>

#include "base/net/fields_impl.h"

namespace atl::net {
namespace {

TEST(Headers, KeepOrderAndRepetition) {
  Headers headers{{"a", "1"}, {"b", "2"}, {"a", "3"}};
  EXPECT_EQ(headers.get("a"), "1");
  EXPECT_EQ(headers.all("a"), (std::vector<std::string_view>{"1", "3"}));
  EXPECT_FALSE(headers.has("c"));
  EXPECT_EQ(headers.get("c"), "");
  headers.set("a", "4");
  headers.set("c", "5");
  headers.add("b", "6");
  using Item = std::pair<std::string, std::string>;
  EXPECT_EQ(headers.items(), (std::vector<Item>{{"a", "4"}, {"b", "2"}, {"c", "5"}, {"b", "6"}}));
}

TEST(Query, DecodesAndKeepsOrder) {
  const auto query = Query::parse("a=1&b=x%2Fy+z&a=2&flag&empty=&&t=true&f=false");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->get("a"), "1");
  EXPECT_EQ(query->all("a"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(query->get("b"), "x/y z");
  EXPECT_TRUE(query->flag("flag"));
  EXPECT_TRUE(query->flag("t"));
  EXPECT_FALSE(query->flag("f"));
  EXPECT_FALSE(query->flag("none"));
  EXPECT_FALSE(Query::parse("f=False")->flag("f"));
  EXPECT_FALSE(Query::parse("f=0")->flag("f"));
  EXPECT_TRUE(Query::parse("f=perhaps")->flag("f"));
  EXPECT_EQ(query->items().size(), 7u);
  for (const char* bad : {"a=%", "a=%4", "a=%zz", "%=1"}) {
    const auto refused = Query::parse(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code(), Code::kBadRequest);
  }
}

TEST(Percent, EveryByteComesBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a b/ä~"), "a%20b%2F%C3%A4~");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  EXPECT_EQ(percent_decode("%2"), std::nullopt);
}

TEST(Fields, Grammar) {
  struct Case {
    const char* text;
    bool token, value, target, host;
  };
  const Case cases[] = {
      {"GET", true, true, false, true},         {"", false, true, false, true},
      {"a b", false, true, false, false},       {" a", false, false, false, false},
      {"a\r\nb", false, false, false, false},   {"a\tb", false, true, false, false},
      {"/a?b=c", false, true, true, false},     {"/a#b", false, true, false, false},
      {"/\xc3\xa4", false, true, false, false}, {"[::1]:80", false, true, false, true},
      {"user@host", false, true, false, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(is_token(c.text), c.token);
    EXPECT_EQ(is_field_value(c.text), c.value);
    EXPECT_EQ(is_origin_form(c.text), c.target);
    EXPECT_EQ(is_host(c.text), c.host);
  }
}

TEST(Fields, Decimals) {
  EXPECT_EQ(parse_decimal("0"), 0u);
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "+1", "-1", " 1", "1 ", "0x1", "18446744073709551616"}) {
    EXPECT_EQ(parse_decimal(bad), std::nullopt) << bad;
  }
}

TEST(Fields, ReasonsOfStatuses) {
  EXPECT_EQ(reason_phrase(100), "Continue");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(507), "Insufficient Storage");
  EXPECT_EQ(reason_phrase(299), "");
  EXPECT_EQ(reason_phrase(999), "");
}

TEST(Fields, ListsOfWords) {
  const Headers headers{{"connection", "keep-alive , Upgrade"}, {"connection", "x"}};
  EXPECT_TRUE(has_list_word(headers, "connection", "upgrade"));
  EXPECT_TRUE(has_list_word(headers, "connection", "x"));
  EXPECT_FALSE(has_list_word(headers, "connection", "keep"));
  EXPECT_FALSE(has_list_word(headers, "upgrade", "x"));
}

}  // namespace
}  // namespace atl::net

#include "api/select/select.h"

#include <gtest/gtest.h>

namespace atl::api {
namespace {

struct MatchCase {
  const char* why;
  const char* selector;
  Labels labels;
  bool want;
};

TEST(LabelSelector, Matches) {
  const MatchCase cases[] = {
      {"the empty selector selects everything", "", {{"a", "1"}}, true},
      {"white space alone is empty", "  \t", {}, true},
      {"equality", "a=1", {{"a", "1"}}, true},
      {"double equality is the same", "a==1", {{"a", "1"}}, true},
      {"another value differs", "a=1", {{"a", "2"}}, false},
      {"equality wants the key", "a=1", {{"b", "1"}}, false},
      {"equality with the empty value wants the key too", "a=", {{"b", "1"}}, false},
      {"equality with the empty value", "a=", {{"a", ""}}, true},
      {"inequality holds where the key is missing", "a!=1", {}, true},
      {"inequality", "a!=1", {{"a", "1"}}, false},
      {"in", "a in (1,2)", {{"a", "2"}}, true},
      {"in wants the key", "a in (1,2)", {}, false},
      {"notin holds where the key is missing", "a notin (1,2)", {}, true},
      {"notin", "a notin (1, 2)", {{"a", "2"}}, false},
      {"an empty place in a set is the empty value", "a in (,x)", {{"a", ""}}, true},
      {"the empty set is the empty value", "a in ()", {{"a", ""}}, true},
      {"exists", "a", {{"a", "x"}}, true},
      {"absent", "!a", {{"a", "x"}}, false},
      {"absent holds without it", "! a", {{"b", "x"}}, true},
      {"greater compares numbers, not text", "a>9", {{"a", "10"}}, true},
      {"less", "a<9", {{"a", "10"}}, false},
      {"greater with a label that is no number is false", "a>9", {{"a", "ten"}}, false},
      {"all terms must hold", "a=1,b=2", {{"a", "1"}, {"b", "3"}}, false},
      {"the words in and notin may be keys", "in,notin=x", {{"in", ""}, {"notin", "x"}}, true},
      {"and values", "a in (in,notin)", {{"a", "notin"}}, true},
      {"a key may have a domain", "example.com/a in (b)", {{"example.com/a", "b"}}, true},
  };
  for (const MatchCase& c : cases) {
    SCOPED_TRACE(c.why);
    const auto selector = LabelSelector::parse(c.selector);
    ASSERT_TRUE(selector) << selector.error().message();
    EXPECT_EQ(selector->matches(c.labels), c.want);
    const auto again = LabelSelector::parse(selector->text());
    ASSERT_TRUE(again) << selector->text();
    EXPECT_EQ(*again, *selector) << selector->text();
  }
}

TEST(LabelSelector, RefusesInTheWordsOfTheField) {
  struct {
    const char* selector;
    const char* message;
  } const cases[] = {
      {"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"},
      {"=a", "found '=', expected: !, identifier, or 'end of string'"},
      {"a,", "found '', expected: identifier after ','"},
      {"a=b c", "found 'c', expected: ',' or 'end of string'"},
      {"!a=b", "found '=', expected: ',' or 'end of string'"},
      {"a in b", "unable to parse requirement: found 'b' expected: '('"},
      {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'"},
      {"a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"},
      {"a==(", "unable to parse requirement: found '(', expected: identifier"},
      {"a>b",
       "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, "
       "the value must be an integer"},
      {"!", "unable to parse requirement: found '', expected: identifier"},
  };
  for (const auto& c : cases) {
    const auto selector = LabelSelector::parse(c.selector);
    ASSERT_FALSE(selector) << c.selector;
    EXPECT_EQ(selector.error().code(), Code::kBadRequest);
    EXPECT_EQ(selector.error().message(), c.message) << c.selector;
  }
}

TEST(LabelSelector, ChecksKeysAndValues) {
  for (const char* bad :
       {"-a", "a-", "a/b/c", "/a", "UPPER.com/a", "a_/b", "b.com/", "a$", "a=-x", "a in (x-)"}) {
    const auto selector = LabelSelector::parse(bad);
    ASSERT_FALSE(selector) << bad;
    EXPECT_NE(selector.error().message().find("Invalid value"), std::string::npos)
        << selector.error().message();
  }
  EXPECT_FALSE(LabelSelector::parse(std::string(64, 'a')));
  EXPECT_TRUE(LabelSelector::parse(std::string(63, 'a')));
  EXPECT_FALSE(LabelSelector::parse("a=" + std::string(64, 'a')));
}

TEST(LabelSelector, ManyTermsAreFineAndHugeInputIsRefused) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "k" + std::to_string(i) + ",";
  text.pop_back();
  EXPECT_TRUE(LabelSelector::parse(text));
  std::string set = "a in (v";
  for (int i = 0; i < 10'000; ++i) set += ",v" + std::to_string(i);
  const auto selector = LabelSelector::parse(set + ")");
  ASSERT_TRUE(selector);
  EXPECT_TRUE(selector->matches({{"a", "v777"}}));
  const auto huge = LabelSelector::parse(std::string(kSelectorBytesMax + 1, 'a'));
  ASSERT_FALSE(huge);
  EXPECT_LT(huge.error().message().size(), 200u);
}

TEST(LabelSelector, FromDocuments) {
  const auto selector = LabelSelector::from_document(*json::parse(
      R"({"matchLabels":{"b":"1"},"matchExpressions":[{"key":"a","operator":"NotIn","values":["y","x"]},{"key":"c","operator":"Exists"}]})"));
  ASSERT_TRUE(selector) << selector.error().message();
  EXPECT_EQ(selector->text(), "a notin (x,y),b=1,c");
  EXPECT_TRUE(LabelSelector::from_document(json::Value(json::Object()))->everything());
  EXPECT_TRUE(LabelSelector::from_document(json::Value())->nothing());
  EXPECT_FALSE(LabelSelector::from_document(json::Value())->matches({}));
  for (const char* bad :
       {R"({"matchExpressions":[{"key":"a","operator":"Is"}]})", R"({"matchLabels":{"a":1}})",
        R"({"matchExpressions":[{"key":"a","operator":"In"}]})",
        R"({"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]})", "[]"}) {
    EXPECT_FALSE(LabelSelector::from_document(*json::parse(bad))) << bad;
  }
  const json::Value map = *json::parse(R"({"z":"1","a":"2"})");
  EXPECT_EQ(LabelSelector::from_map(map.get_object()).text(), "a=2,z=1");
}

TEST(FieldSelector, ParsesOperatorsAndEscapes) {
  using Term = FieldSelector::Term;
  const auto selector =
      FieldSelector::parse(R"(metadata.name=a,,status.phase!=Failed,x==c\,d\=e\\)");
  ASSERT_TRUE(selector) << selector.error().message();
  EXPECT_EQ(selector->terms(),
            (std::vector<Term>{
                {"metadata.name", "a"}, {"status.phase", "Failed", false}, {"x", "c,d=e\\"}}));
  ASSERT_NE(selector->exact("metadata.name"), nullptr);
  EXPECT_EQ(selector->exact("status.phase"), nullptr);
  EXPECT_TRUE(FieldSelector::parse("")->everything());
  EXPECT_TRUE(selector->matches([](const std::string& f) {
    return f == "x" ? "c,d=e\\" : f == "metadata.name" ? "a" : "";
  }));
  EXPECT_FALSE(selector->matches([](const std::string&) { return "a"; }));
}

TEST(FieldSelector, RefusesInTheWordsOfTheField) {
  struct {
    const char* text;
    const char* message;
  } const cases[] = {
      {"abc", "invalid selector: 'abc'; can't understand 'abc'"},
      {"a!b", "invalid selector: 'a!b'; can't understand 'a!b'"},
      {"a=b=c", "invalid field selector: unescaped character in value: 61"},
      {"a=\\x", "invalid field selector: invalid escape sequence: \\x"},
      {"a=b\\", "invalid field selector: invalid escape sequence: \\"},
  };
  for (const auto& c : cases) {
    const auto selector = FieldSelector::parse(c.text);
    ASSERT_FALSE(selector) << c.text;
    EXPECT_EQ(selector.error().message(), c.message);
  }
  EXPECT_FALSE(FieldSelector::parse(std::string(kSelectorBytesMax + 1, 'a')));
}

TEST(FieldText, PrintsWhatSelectorsCompare) {
  const json::Value doc = *json::parse(
      R"({"metadata":{"name":"n"},"spec":{"nodeName":"x","unschedulable":true,"n":5},"status":{"succeeded":2},"source":{"component":"kubelet"}})");
  EXPECT_EQ(field_text(doc, "metadata.name"), "n");
  EXPECT_EQ(field_text(doc, ".spec.nodeName"), "x");
  EXPECT_EQ(field_text(doc, "spec.host"), "x");
  EXPECT_EQ(field_text(doc, "spec.unschedulable"), "true");
  EXPECT_EQ(field_text(doc, "spec.n"), "5");
  EXPECT_EQ(field_text(doc, "spec.hostNetwork"), "false");
  EXPECT_EQ(field_text(doc, "status.successful"), "2");
  EXPECT_EQ(field_text(doc, "status.replicas"), "0");
  EXPECT_EQ(field_text(doc, "source"), "kubelet");
  EXPECT_EQ(field_text(doc, "spec"), "");
  EXPECT_EQ(field_text(doc, "status.phase.more"), "");
}

}  // namespace
}  // namespace atl::api

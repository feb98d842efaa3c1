#include "base/text/quantity.h"

#include <gtest/gtest.h>

#include <limits>

namespace atl {
namespace {

TEST(Quantity, ParsesToItsCanonicalText) {
  struct Case {
    const char* text;
    int64_t milli;
    const char* canonical;
  };
  const Case cases[] = {
      {"0", 0, "0"},
      {"100m", 100, "100m"},
      {"1", 1000, "1"},
      {"1000m", 1000, "1"},
      {"1.5", 1500, "1500m"},
      {".5", 500, "500m"},
      {"1.", 1000, "1"},
      {"+2", 2000, "2"},
      {"-2", -2000, "-2"},
      {"2k", 2'000'000, "2k"},
      {"2000", 2'000'000, "2k"},
      {"128Mi", 134'217'728'000, "128Mi"},
      {"1024Mi", 1'073'741'824'000, "1Gi"},
      {"1.5Gi", 1'610'612'736'000, "1536Mi"},
      {"0.5Ki", 512'000, "512"},
      {"1e3", 1'000'000, "1e3"},
      {"1E3", 1'000'000, "1e3"},
      {"12e-3", 12, "12e-3"},
      {"3n", 1, "3n"},
      {"0.0000000001", 1, "1n"},
      {"5E", std::numeric_limits<int64_t>::max(), "5E"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const auto quantity = Quantity::parse(c.text);
    ASSERT_TRUE(quantity.has_value());
    EXPECT_EQ(quantity->milli(), c.milli);
    EXPECT_EQ(quantity->text(), c.canonical);
    EXPECT_EQ(*Quantity::parse(quantity->text()), *quantity);
  }
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* text :
       {"",
        " 1",
        "1 ",
        "m",
        ".",
        "1.2.3",
        "1mm",
        "1Kib",
        "1K",
        "1ki",
        "0x10",
        "1e",
        "1e1e1",
        "1e1000",
        "NaN",
        "--1",
        "1e30",
        "9999999999999999999999999999999999999999",
        "1000000000Ei",
        "١",
        "1111111111111111111111111111111111111111111111111111111111111111111111"}) {
    EXPECT_FALSE(Quantity::parse(text).has_value()) << text;
  }
}

TEST(Quantity, SumsAreExactAndKeepTheFirstFormat) {
  Quantity sum;
  for (int i = 0; i < 10; ++i) sum += *Quantity::parse("100m");
  EXPECT_EQ(sum, Quantity::of(1));
  Quantity memory;
  memory += *Quantity::parse("512Mi");
  memory += *Quantity::parse("512Mi");
  EXPECT_EQ(memory.text(), "1Gi");
  EXPECT_EQ((memory - *Quantity::parse("1Gi")).text(), "0");
  EXPECT_LT(*Quantity::parse("999m"), Quantity::of(1));
  EXPECT_GT(*Quantity::parse("1Gi"), *Quantity::parse("1G"));
}

TEST(Quantity, CountsRoundUp) {
  EXPECT_EQ(Quantity::parse("1001m")->units(), 2);
  EXPECT_EQ(Quantity::parse("-1500m")->units(), -1);
  EXPECT_FALSE(Quantity::parse("1500m")->whole());
  EXPECT_EQ(Quantity::of_milli(1500).text(), "1500m");
}

}  // namespace
}  // namespace atl

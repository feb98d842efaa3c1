#include "kernel/network/address.h"

#include <gtest/gtest.h>

#include "kernel/network/address_pool.h"

namespace atl::network {
namespace {

TEST(Ipv4, ReadsDottedQuadsOnly) {
  const struct {
    const char* text;
    const char* want;  // empty: refused
  } cases[] = {{"10.42.0.7", "10.42.0.7"},
               {"255.255.255.255", "255.255.255.255"},
               {"0.0.0.0", "0.0.0.0"},
               {"10.42.0", ""},
               {"10.42.0.256", ""},
               {"10.042.0.1", ""},
               {"", ""},
               {"::1", ""},
               {" 10.0.0.1", ""},
               {"10.0.0.1\n", ""}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto ip = Ipv4::parse(c.text);
    EXPECT_EQ(ip ? ip->text() : "", c.want);
  }
  EXPECT_FALSE(Ipv4::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST(Ipv4Range, ReadsCidrsAndSaysWhatIsMeant) {
  EXPECT_EQ(Ipv4Range::parse("10.42.0.0/16")->size(), 65536u);
  EXPECT_EQ(Ipv4Range::parse("10.42.0.0/16")->last().text(), "10.42.255.255");
  EXPECT_EQ(Ipv4Range::parse("10.42.0.9/32")->size(), 1u);
  for (const char* bad : {"10.42.0.0", "10.42.0.0/33", "10.42.0.0/0", "10.42.0.0/x", "/16", ""}) {
    EXPECT_FALSE(Ipv4Range::parse(bad)) << bad;
  }
  const auto low_bits = Ipv4Range::parse("10.42.3.0/16");
  ASSERT_FALSE(low_bits);
  EXPECT_NE(low_bits.error().message().find("10.42.0.0/16 is meant"), std::string::npos);
}

TEST(Ipv4Range, KnowsItsNeighbours) {
  const Ipv4Range pods = *Ipv4Range::parse("10.42.0.0/16");
  EXPECT_TRUE(pods.overlaps(*Ipv4Range::parse("10.0.0.0/8")));
  EXPECT_TRUE(pods.overlaps(*Ipv4Range::parse("10.42.200.0/24")));
  EXPECT_FALSE(pods.overlaps(*Ipv4Range::parse("10.43.0.0/16")));
}

TEST(AddressPool, GivesEachOwnerOneAddress) {
  AddressPool pool(*Ipv4Range::parse("10.42.0.0/29"));
  EXPECT_EQ(pool.allocate("a")->text(), "10.42.0.1");
  EXPECT_EQ(pool.allocate("b")->text(), "10.42.0.2");
  EXPECT_EQ(pool.allocate("a")->text(), "10.42.0.1");
}

TEST(AddressPool, LetsAFreedAddressRest) {
  AddressPool pool(*Ipv4Range::parse("10.42.0.0/29"));
  ASSERT_TRUE(pool.allocate("a"));
  pool.release("a");
  EXPECT_EQ(pool.allocate("b")->text(), "10.42.0.2");
}

TEST(AddressPool, SaysWhenTheRangeIsUsedUpAndGoesOnAfterARelease) {
  AddressPool pool(*Ipv4Range::parse("10.42.0.0/29"));
  for (char owner = 'a'; owner < 'g'; ++owner) ASSERT_TRUE(pool.allocate(std::string(1, owner)));
  const auto none = pool.allocate("g");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kExhausted);
  EXPECT_NE(none.error().message().find("POD_CIDR"), std::string::npos);
  pool.release("c");
  EXPECT_EQ(pool.allocate("g")->text(), "10.42.0.3");
}

TEST(AddressPool, TakesBackWhatLivesOn) {
  AddressPool pool(*Ipv4Range::parse("10.42.0.0/24"));
  EXPECT_TRUE(pool.reserve("a", *Ipv4::parse("10.42.0.9")));
  EXPECT_EQ(pool.reserve("b", *Ipv4::parse("10.42.0.9")).error().code(), Code::kConflict);
  EXPECT_EQ(pool.reserve("b", *Ipv4::parse("10.43.0.9")).error().code(), Code::kInvalid);
  EXPECT_EQ(pool.allocate("b")->text(), "10.42.0.10");
}

}  // namespace
}  // namespace atl::network

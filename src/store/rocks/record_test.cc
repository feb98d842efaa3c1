#include "store/rocks/record.h"

#include <gtest/gtest.h>

namespace atl::store {
namespace {

TEST(Record, EveryFlippedBitIsSeen) {
  const std::string good = encode_record({77}, {"/a/b", "value", {3}, {70}});
  const auto back = decode_record({77}, good);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, "/a/b");
  EXPECT_EQ(*back->value, "value");
  EXPECT_EQ(back->previous, Revision{70});
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] ^= char(1 << (bit % 8));
    EXPECT_FALSE(decode_record({77}, bad)) << "bit " << bit;
  }
  EXPECT_FALSE(decode_record({78}, good)) << "a record of another revision";
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(decode_record({77}, good.substr(0, n)));
}

TEST(Record, TombstonesHaveNoValue) {
  const auto back = decode_record({5}, encode_record({5}, {"/k", std::nullopt, {1}, {4}}));
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->value);
}

TEST(Record, TheIndexSortsNewestFirstWithinAKey) {
  EXPECT_LT(index_key("/a", {9}), index_key("/a", {3}));
  EXPECT_LT(index_key("/a", {1}), index_key("/a/b", {9}));
  EXPECT_LT(index_key("/a", {1}), index_key("/aa", {9}));
  const std::string key = index_key("/a", {9});  // what is parsed points into it
  const auto entry = parse_index_key(key);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->key, "/a");
  EXPECT_EQ(entry->modified, Revision{9});
  EXPECT_FALSE(parse_index_key("short"));
}

}  // namespace
}  // namespace atl::store

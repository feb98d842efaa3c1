#include "store/rocks/seal.h"

#include <gtest/gtest.h>

namespace atl::store {
namespace {

TEST(Seal, EveryFlippedBitIsSeen) {
  const Seal seal{5, 1'234, 12, 1ULL << 40};
  const std::string good = encode_seal(seal);
  EXPECT_EQ(decode_seal(good), seal);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] ^= char(1 << (bit % 8));
    EXPECT_FALSE(decode_seal(bad)) << "bit " << bit;
  }
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(decode_seal(good.substr(0, n)));
}

TEST(Seal, FilesAreKnownByTheirNames) {
  struct Case {
    const char* path;
    std::optional<uint64_t> log, manifest;
  };
  const Case cases[] = {
      {"/db/000012.log", 12, {}},
      {"000012.log", 12, {}},
      {"/db/MANIFEST-000005", {}, 5},
      {"/db.log/000012.sst", {}, {}},
      {".log", {}, {}},
      {"MANIFEST-", {}, {}},
      {"MANIFEST-00000u", {}, {}},
      {"LOG.old.12.log", {}, {}},
      {"99999999999999999999.log", {}, {}},
      {"-5.log", {}, {}},
      {"", {}, {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path);
    EXPECT_EQ(log_number(c.path), c.log);
    EXPECT_EQ(manifest_number(c.path), c.manifest);
  }
}

}  // namespace
}  // namespace atl::store

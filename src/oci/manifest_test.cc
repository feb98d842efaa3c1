#include "oci/manifest.h"

#include <gtest/gtest.h>

#include "oci/registry_client.h"

namespace atl::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(Manifest, OddDocumentsAreRefused) {
  const struct {
    const char* what;
    std::string text;
  } cases[] = {
      {"no JSON", "{"},
      {"neither", "{}"},
      {"both", R"({"manifests":[],"layers":[],"config":{"digest":")" + kDigest + R"(","size":1}})"},
      {"no digest", R"({"config":{"size":1},"layers":[]})"},
      {"another algorithm", R"({"config":{"digest":"md5:aa","size":1},"layers":[]})"},
      {"a negative size", R"({"config":{"digest":")" + kDigest + R"(","size":-1},"layers":[]})"},
  };
  for (const auto& c : cases) {
    const auto manifest = parse_manifest(c.text);
    ASSERT_FALSE(manifest) << c.what;
    EXPECT_EQ(manifest.error().code(), Code::kInvalid) << c.what;
  }
}

TEST(Manifest, AnIndexIsReadForThisMachine) {
  const std::string other = "sha256:" + std::string(64, 'b');
  const std::string text = R"({"manifests":[{"digest":")" + kDigest +
                           R"(","size":1,"platform":{"os":"linux","architecture":"s390x"}},)" +
                           R"({"digest":")" + other +
                           R"(","size":1,"platform":{"os":"linux","architecture":"amd64"}}]})";
  const auto index = parse_manifest(text);
  ASSERT_TRUE(index);
  EXPECT_EQ(choose_platform(*index, "amd64")->digest, other);
  const auto none = choose_platform(*index, "riscv64");
  EXPECT_EQ(none.error().message(),
            "the image has no version for linux/riscv64, only: linux/s390x, linux/amd64");
}

TEST(Manifest, AForeignConfigIsRefused) {
  EXPECT_FALSE(parse_config(R"({"os":"windows","rootfs":{"diff_ids":[]}})"));
  EXPECT_FALSE(parse_config(R"({"os":"linux","architecture":"s390x"})"));
  EXPECT_FALSE(parse_config(R"({"rootfs":{"diff_ids":["x"]}})"));
}

TEST(Challenge, ParametersAreReadWithAndWithoutQuotes) {
  std::string scheme;
  auto p = parse_challenge(
      R"(Bearer realm="https://auth.example/token",service="reg, one",scope=repo)", scheme);
  EXPECT_EQ(scheme, "bearer");
  EXPECT_EQ(p["realm"], "https://auth.example/token");
  EXPECT_EQ(p["service"], "reg, one");
  EXPECT_EQ(p["scope"], "repo");
  EXPECT_TRUE(parse_challenge("Basic", scheme).empty());
}

}  // namespace
}  // namespace atl::oci

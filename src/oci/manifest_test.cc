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

TEST(RegistryClient, ARegistryElsewhereDoesNotLeadHome) {
  const struct {
    const char* registry;
    const char* host;
    bool may;
  } cases[] = {
      {"ghcr.io", "storage.example", true},
      {"ghcr.io", "127.evil.example", true},  // a name like others
      {"ghcr.io", "192.0.2.7", true},
      {"ghcr.io", "127.0.0.1", false},
      {"ghcr.io", "127.1", false},
      {"ghcr.io", "2130706433", false},
      {"ghcr.io", "0.0.0.0", false},
      {"ghcr.io", "localhost", false},
      {"ghcr.io", "[::1]", false},
      {"ghcr.io", "[::ffff:127.0.0.1]", false},
      {"ghcr.io", "169.254.169.254", false},
      {"ghcr.io", "[fe80::1%25eth0]", false},
      {"ghcr.io", "[2001:db8::1]", true},
      {"127.evil.example:5000", "127.0.0.1", false},
      {"localhost:5000", "127.0.0.1", true},
      {"127.0.0.1:5000", "localhost", true},
      {"127.0.0.1:5000", "storage.example", true},
      {"127.0.0.1:5000", "169.254.169.254", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.registry) + " to " + c.host);
    EXPECT_EQ(check_leads_to(c.registry, c.host).has_value(), c.may);
  }
}

}  // namespace
}  // namespace atl::oci

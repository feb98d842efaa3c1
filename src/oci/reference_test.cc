#include "oci/reference.h"

#include <gtest/gtest.h>

namespace atl::oci {
namespace {

TEST(Reference, IsNormalizedAsDockerDoes) {
  const struct {
    const char *text, *normal;
  } cases[] = {
      {"redis", "docker.io/library/redis:latest"},
      {"redis:7", "docker.io/library/redis:7"},
      {"bitnami/redis", "docker.io/bitnami/redis:latest"},
      {"index.docker.io/library/redis", "docker.io/library/redis:latest"},
      {"localhost/app", "localhost/app:latest"},
      {"localhost:5000/a/b:v1", "localhost:5000/a/b:v1"},
      {"ghcr.io/a/b_c/d-e:1.0", "ghcr.io/a/b_c/d-e:1.0"},
      {"quay.io/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
       "quay.io/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
  };
  for (const auto& c : cases) {
    const auto reference = parse_reference(c.text);
    ASSERT_TRUE(reference) << c.text << ": " << reference.error().message();
    EXPECT_EQ(reference->text(), c.normal);
    EXPECT_EQ(parse_reference(c.normal)->text(), c.normal) << "normal names stay as they are";
  }
}

TEST(Reference, NonsenseIsRefused) {
  for (const std::string bad :
       {"", "UPPER", "a//b", "a/../b", "-a", "a:", "a:b:c", "a@sha256:123", "a@md5:0", "a b",
        "a/b/", "x:.tag", "a..b", "a___b", "http://a/b", "a\nb"}) {
    const auto reference = parse_reference(bad);
    ASSERT_FALSE(reference) << bad;
    EXPECT_EQ(reference.error().code(), Code::kBadRequest);
  }
  EXPECT_FALSE(parse_reference(std::string(600, 'a')));
}

}  // namespace
}  // namespace atl::oci

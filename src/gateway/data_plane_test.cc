#include "gateway/data_plane.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/io/files.h"

namespace atl::gateway {
namespace {

// Files alone: HAProxy does not run.
class DataPlaneTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::temp_directory_path() / "atoll-plane-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    options_.folder = folder_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
  Options options_;
};

TEST_F(DataPlaneTest, WhatWouldBeALineOrACommandOfItsOwnIsLeftOut) {
  DataPlane plane(options_);
  ASSERT_TRUE(plane.prepare("-----BEGIN CERTIFICATE-----\n"));
  const std::string odd[] = {"a b",
                             "a\nb",
                             "a\rb",
                             "a\tb",
                             "a;b",
                             "a\\b",
                             std::string("a\0b", 3),
                             "a\x7f"
                             "b",
                             ""};
  Plan plan;
  plan.exact["a.org/x"] = "10.42.0.7:8080::";
  plan.prefix["a.org/"] = "10.42.0.7:8080::";
  int n = 0;
  for (const std::string& text : odd) {
    plan.exact["key" + text + "/" + (text.empty() ? " " : "")] = "none";
    plan.exact["value" + std::to_string(n) + "/"] = text;
    plan.prefix["value" + std::to_string(n++) + "/"] = text;
  }
  const auto applied = plane.apply(plan);
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(*io::read_file(options_.exact_map()), "a.org/x 10.42.0.7:8080::\n");
  EXPECT_EQ(*io::read_file(options_.prefix_map()), "a.org/ 10.42.0.7:8080::\n");
}

}  // namespace
}  // namespace atl::gateway

#include "cli/usage.h"

#include <gtest/gtest.h>

namespace atl::cli {
namespace {

TEST(NearWords, WhatAPersonMayHaveMeant) {
  const std::vector<std::string> words{"pods",         "podtemplates", "deployments", "services",
                                       "statefulsets", "--output",     "ab"};
  using Words = std::vector<std::string>;
  const struct {
    const char* name;
    std::string typed;
    Words near;
  } cases[] = {
      {"a letter too many", "podss", {"pods"}},
      {"a letter too few", "pds", {"pods"}},
      {"two swapped", "deplyoments", {"deployments"}},
      {"a wrong one", "servises", {"services"}},
      {"singular and swapped", "deplyoment", {"deployments"}},
      {"an option", "--ouptut", {"--output"}},
      {"dashes are no letters: another short option", "--out", {}},
      {"nothing like it", "frobnicate", {}},
      {"one letter says nothing", "a", {}},
      {"too long to compare", std::string(1'000'000, 'p'), {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(near_words(c.typed, words), c.near);
  }
  EXPECT_EQ(near_words("aaa", {"aab", "aac", "aad", "aae", "aaa"}), (Words{"aaa", "aab", "aac"}))
      << "three, nearest first";
  EXPECT_EQ(near_it("pdos", words), "; near it: pods");
  EXPECT_EQ(near_it("", words), "");
}

}  // namespace
}  // namespace atl::cli

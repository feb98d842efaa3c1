// Runs every file of tests/api/ against a server of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernel/apiserver/admission/install.h"
#include "kernel/apiserver/testing/case_file.h"

namespace atl::apiserver {
namespace {

std::vector<std::filesystem::path> case_files() {
  std::vector<std::filesystem::path> files;
  const char* other = std::getenv("ATOLL_API_CASES");
  const std::filesystem::path folder =
      other ? std::filesystem::path(other) : std::filesystem::path(ATOLL_SOURCE_DIR) / "tests/api";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The rules of every built-in kind; admission is left out, so that namespaces need not be made.
void add_rules(Harness& harness) {
  add_kind_hooks(harness.hooks, *harness.cache, harness.rng,
                 {.cluster_ips = *AddressRange::parse("10.96.0.0/16")});
}

class ApiCases : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(ApiCases, AnswersAsWritten) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  const auto steps = parse_cases(text.str());
  ASSERT_TRUE(steps.has_value()) << steps.error().message();
  ASSERT_FALSE(steps->empty());
  Harness harness({.before_start = add_rules});
  harness.run([&]() -> Task<> {
    CaseRunner runner(harness);
    const std::vector<std::string> failures = co_await runner.run(*steps);
    for (const std::string& failure : failures)
      ADD_FAILURE() << GetParam().filename().string() << " " << failure;
    co_return Unit{};
  });
}

INSTANTIATE_TEST_SUITE_P(Files, ApiCases, testing::ValuesIn(case_files()), [](const auto& row) {
  std::string name = row.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !isalnum(static_cast<unsigned char>(c)); },
      '_');
  return name;
});

TEST(CaseFiles, AWrongAnswerIsNoticed) {
  Harness harness;
  harness.run([&]() -> Task<> {
    CaseRunner runner(harness);
    const auto steps = parse_cases(
        "case no such thing\n> GET /api/v1/namespaces/x\n< 200\nkind == \"Namespace\"\n");
    const std::vector<std::string> failures = co_await runner.run(*steps);
    EXPECT_EQ(failures.size(), 2u);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

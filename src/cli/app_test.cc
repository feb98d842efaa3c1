#include "cli/app.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/options.h"

namespace atl::cli {
namespace {

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome run(std::vector<std::string> words) {
  ::unsetenv("ATOLL_HOME");
  ::setenv("KUBECONFIG", "/nonexistent/kubeconfig", 1);
  words.insert(words.begin(), "atoll");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_app(int(argv.size()), argv.data());
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    out.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

TEST(App, ExitCodesAndWhatIsSaid) {
  const struct {
    const char* name;
    std::vector<std::string> words;
    Exit code;
    const char* said;  // on standard error
  } cases[] = {
      {"no verb: the help", {}, Exit::kUsage, "Examples:\n  atoll status"},
      {"no verb of a verb", {"image"}, Exit::kUsage, "Examples:\n  docker save"},
      {"an unknown verb", {"frobnicate"}, Exit::kUsage, "atoll has no verb \"frobnicate\"\natoll"},
      {"a verb with a typing error", {"gte", "pods"}, Exit::kUsage, "\"gte\"; near it: get\n"},
      {"the same below a verb",
       {"image", "laod"},
       Exit::kUsage,
       "atoll image has no verb \"laod\"; near it: load"},
      {"a verb of kubectl",
       {"describe", "pod", "a"},
       Exit::kUsage,
       "kubectl has it: KUBECONFIG=/nonexistent/kubeconfig kubectl describe"},
      {"an unknown option",
       {"get", "pods", "--colour"},
       Exit::kUsage,
       "atoll get has no option --colour, as in: atoll get pods\natoll get --help"},
      {"an option with a typing error",
       {"get", "pods", "--outptu=json"},
       Exit::kUsage,
       "atoll get has no option --outptu; near it: --output"},
      {"an option of all with one",
       {"get", "pods", "--kubeconfg", "a"},
       Exit::kUsage,
       "near it: --kubeconfig"},
      {"an option before the verb",
       {"--hlep"},
       Exit::kUsage,
       "atoll has no option --hlep; near it: --help"},
      {"a word too many",
       {"kubeconfig", "extra"},
       Exit::kUsage,
       "atoll kubeconfig does not take \"extra\""},
      {"a missing argument", {"get"}, Exit::kUsage, "what is required, as in: atoll get pods"},
      {"a file without -f",
       {"apply", "app.yaml"},
       Exit::kUsage,
       "--filename is required, as in: atoll apply -f app.yaml"},
      {"a template",
       {"get", "pods", "-o", "jsonpath={.items}"},
       Exit::kUsage,
       "not jsonpath={.items}; for parts of it: -o json | jq"},
      {"an unknown format",
       {"get", "pods", "-o", "xml"},
       Exit::kUsage,
       "table, wide, json, yaml or name, not xml"},
      {"nothing to delete", {"delete"}, Exit::kUsage, "name objects (TYPE NAME) or files"},
      {"words and files", {"delete", "pod", "a", "-f", "b"}, Exit::kUsage, "one of the two"},
      {"no command", {"exec", "web"}, Exit::kUsage, "command is required"},
      {"no duration", {"logs", "web", "--since", "banana"}, Exit::kUsage, "--since"},
      {"a shell without completion", {"completion", "tcsh"}, Exit::kUsage, "tcsh not in {bash"},
      {"no kubeconfig",
       {"get", "pods"},
       Exit::kNotFound,
       "there is no kubeconfig at /nonexistent/kubeconfig; start Atoll with ./up, or name one"},
      {"an address as a file",
       {"apply", "-f", "https://example.com/app.yaml"},
       Exit::kFailed,
       "https://example.com/app.yaml is not fetched; do that first: curl"},
      {"a file that is not there",
       {"apply", "-f", "/nonexistent"},
       Exit::kNotFound,
       "/nonexistent"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Outcome outcome = run(c.words);
    EXPECT_EQ(outcome.code, int(c.code));
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(c.said), std::string::npos) << outcome.err;
  }
}

class Files : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  // Of an API on a port where nobody listens.
  std::string kubeconfig() {
    return write("kubeconfig", R"({"apiVersion": "v1", "kind": "Config", "current-context": "a",
      "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
      "users": [{"name": "a", "user": {"token": "t"}}],
      "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}]})");
  }
  const std::string folder_ = testing::TempDir() + "atoll-cli-" + std::to_string(::getpid());
};

TEST_F(Files, WhatIsWrongWithManifestsIsSaidBeforeAnythingIsAsked) {
  const std::string empty = folder_ + "/none";
  std::filesystem::create_directories(empty);
  const std::string broken = write("broken.yaml", "a: [1, 2\nb: }");
  EXPECT_NE(run({"apply", "-f", empty}).err.find("there is no object in the files given"),
            std::string::npos);
  const Outcome outcome = run({"apply", "-f", broken});
  EXPECT_EQ(outcome.code, int(Exit::kFailed));
  EXPECT_NE(outcome.err.find("broken.yaml"), std::string::npos) << outcome.err;
}

TEST_F(Files, AServerThatDoesNotAnswerIsNamed) {
  const Outcome outcome = run({"--kubeconfig", kubeconfig(), "get", "pods"});
  EXPECT_EQ(outcome.code, int(Exit::kFailed));
  EXPECT_NE(outcome.err.find("the API at 127.0.0.1:1 does not answer"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("atoll doctor"), std::string::npos);
}

TEST_F(Files, VersionNeedsNoServer) {
  EXPECT_EQ(run({"version"}).out, "client: " ATOLL_VERSION "\n");
  EXPECT_EQ(run({"--kubeconfig", kubeconfig(), "version", "-o", "yaml"}).out,
            "client: " ATOLL_VERSION "\n");
}

TEST(App, HelpLeadsWithExamples) {
  std::vector<std::vector<std::string>> verbs{{}};
  for (const std::string& verb : lines(run({"complete", "--", ""}).out)) verbs.push_back({verb});
  for (const std::string& verb : lines(run({"complete", "--", "image", ""}).out))
    verbs.push_back({"image", verb});
  EXPECT_GE(verbs.size(), 15u);
  for (std::vector<std::string>& words : verbs) {
    words.emplace_back("--help");
    const Outcome outcome = run(words);
    SCOPED_TRACE(words.front());
    EXPECT_EQ(outcome.code, 0);
    const size_t examples = outcome.out.find("Examples:\n  ");
    ASSERT_NE(examples, std::string::npos) << outcome.out;
    EXPECT_LT(examples, outcome.out.find("Usage: atoll")) << outcome.out;
    EXPECT_NE(outcome.out.find("--help"), std::string::npos);
  }
}

TEST(App, HabitsOfOtherCommands) {
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  EXPECT_EQ(run({"help", "image", "load"}).out, run({"image", "load", "--help"}).out);
  EXPECT_EQ(run({"--home", "/a", "help", "get"}).out, run({"get", "--help"}).out);
  EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
  EXPECT_EQ(run({"--home", "/a", "--home", "/nonexistent", "get", "pods"}).code,
            int(Exit::kNotFound))
      << "the last one counts";
}

TEST(App, OutputThatCannotBeWrittenIsAFailure) {
  const int before = ::dup(STDOUT_FILENO);
  const int full = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  std::fflush(stdout);
  ::dup2(full, STDOUT_FILENO);
  testing::internal::CaptureStderr();
  std::string program = "atoll", verb = "version";
  char* argv[] = {program.data(), verb.data()};
  const int code = run_app(2, argv);
  const std::string said = testing::internal::GetCapturedStderr();
  std::clearerr(stdout);
  ::dup2(before, STDOUT_FILENO);
  ::close(before);
  ::close(full);
  EXPECT_EQ(code, int(Exit::kFailed));
  EXPECT_EQ(said, "error: the output cannot be written: No space left on device\n");
}

TEST(App, CompletesWhatIsHalfTyped) {
  const struct {
    const char* name;
    std::vector<std::string> words;
    std::vector<std::string> offered;
  } cases[] = {
      {"verbs",
       {""},
       {"apply", "completion", "delete", "doctor", "exec", "get", "help", "image", "kubeconfig",
        "logs", "status", "version"}},
      {"a verb", {"st"}, {"status"}},
      {"verbs of a verb", {"image", ""}, {"list", "load", "pull", "rm"}},
      {"options of a verb and of all", {"logs", "--n"}, {"--namespace"}},
      {"options of all", {"get", "--ku"}, {"--kubeconfig"}},
      {"an option's value", {"get", "-o", ""}, {"json", "name", "table", "wide", "yaml"}},
      {"a value after =", {"get", "--output=y"}, {"--output=yaml"}},
      {"files of an option", {"apply", "-f", ""}, {":files:"}},
      {"files of an argument", {"image", "load", "x"}, {":files:"}},
      {"a folder before the verb", {"--home", ""}, {":files:"}},
      {"after an option with a value", {"--home", "/x", "ver"}, {"version"}},
      {"an argument from a list", {"completion", "z"}, {"zsh"}},
      {"no more arguments", {"completion", "zsh", ""}, {}},
      {"no arguments at all", {"version", ""}, {}},
      {"a command in a container", {"exec", "web", "--", ""}, {}},
      {"no server to ask", {"get", ""}, {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<std::string> words{"complete", "--"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(lines(outcome.out), c.offered);
    EXPECT_EQ(outcome.err, "");
  }
}

}  // namespace
}  // namespace atl::cli

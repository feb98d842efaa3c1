#include "kernel/node/server/stream_session.h"

#include <gtest/gtest.h>

#include "base/text/json.h"
#include "kernel/node/server/agent_server.h"

namespace atl::node {
namespace {

TEST(Subprotocol, TheNewestThatBothKnow) {
  EXPECT_EQ(choose_subprotocol({"v4.channel.k8s.io", "v5.channel.k8s.io"}), "v5.channel.k8s.io");
  EXPECT_EQ(choose_subprotocol({"v4.channel.k8s.io"}), "v4.channel.k8s.io");
  EXPECT_EQ(choose_subprotocol({"base64.channel.k8s.io"}), "");
}

TEST(Resize, TakesOnlySizesThatExist) {
  const auto size = parse_resize(R"({"Width":120,"Height":40})");
  ASSERT_TRUE(size);
  EXPECT_EQ(size->columns, 120);
  EXPECT_EQ(size->rows, 40);
  for (const char* bad : {"", "{}", "[]", R"({"Width":0,"Height":1})",
                          R"({"Width":70000,"Height":1})", "{\"Width\":"}) {
    EXPECT_FALSE(parse_resize(bad)) << bad;
  }
}

TEST(ExitStatus, CarriesTheCode) {
  EXPECT_EQ(json::string_at(*json::parse(exit_status(0)), {"status"}), "Success");
  const json::Value failed = *json::parse(exit_status(7));
  EXPECT_EQ(json::string_at(failed, {"reason"}), "NonZeroExitCode");
  EXPECT_EQ(json::string_at(json::array_at(failed, {"details", "causes"})[0], {"message"}), "7");
}

TEST(FailureStatus, SaysWhy) {
  const json::Value failed = *json::parse(failure_status(Error(Code::kInvalid, "no terminal")));
  EXPECT_EQ(json::string_at(failed, {"status"}), "Failure");
  EXPECT_EQ(json::string_at(failed, {"message"}), "no terminal");
  EXPECT_NE(json::string_at(failed, {"reason"}), "NonZeroExitCode") << "no command has ended";
}

TEST(LogQueryParameters, AreChecked) {
  const WallTime now{std::chrono::seconds(1'800'000'000)};
  const auto of = [&](const char* text) { return log_query(*net::Query::parse(text), now); };
  EXPECT_TRUE(of("follow=true&timestamps=1")->follow);
  EXPECT_EQ(of("tailLines=5")->tail_lines, 5);
  EXPECT_EQ(of("sinceSeconds=60")->since, now - std::chrono::seconds(60));
  EXPECT_EQ(of("sinceSeconds=9223372036854775807")->since, WallTime{}) << "all there is";
  EXPECT_TRUE(of("sinceTime=2026-11-25T12:00:00Z")->since);
  for (const char* bad : {"tailLines=x", "tailLines=-1", "sinceTime=yesterday", "limitBytes=1x"})
    EXPECT_FALSE(of(bad)) << bad;
}

}  // namespace
}  // namespace atl::node

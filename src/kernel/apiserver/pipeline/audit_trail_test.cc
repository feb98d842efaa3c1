#include "kernel/apiserver/pipeline/audit_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/io/files.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

class AuditTrailTest : public testing::Test {
 protected:
  AuditTrailTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("atoll-audit-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~AuditTrailTest() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return (folder_ / "audit.log").string(); }
  static std::vector<json::Value> lines_of(const std::string& path) {
    std::vector<json::Value> out;
    const auto text = io::read_file(path);
    for (size_t at = 0; text && at < text->size();) {
      const size_t end = text->find('\n', at);
      const auto line = json::parse(std::string_view(*text).substr(at, end - at));
      EXPECT_TRUE(line) << *text;
      out.push_back(line ? *line : json::Value());
      at = end + 1;
    }
    return out;
  }
  // A server with this trail; `body` gets its harness.
  void run(AuditTrail& trail, std::function<Task<>(Harness&)> body) {
    Harness harness({.trail = &trail});
    harness.run([&]() -> Task<> { co_return co_await body(harness); });
  }

  std::filesystem::path folder_;
};

TEST_F(AuditTrailTest, WritesAndRefusalsLeaveALine) {
  auto trail = AuditTrail::open({.file = file()});
  ASSERT_TRUE(trail) << trail.error().message();
  run(**trail, [&](Harness& h) -> Task<> {
    const std::string maps = "/api/v1/namespaces/d/configmaps";
    (void)co_await h.call("POST", maps, R"({"metadata":{"name":"a"},"data":{"k":"s3cret"}})",
                          {{"x-test-user", "eve"}});
    (void)co_await h.call("GET", maps + "/a");
    (void)co_await h.call("DELETE", maps + "/a?dryRun=All", "", {{"impersonate-user", "adam"}});
    (void)co_await h.timer.sleep_for(std::chrono::seconds(2));
    co_return Unit{};
  });
  const auto text = io::read_file(file());
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find("s3cret"), std::string::npos) << "no bodies";
  const auto lines = lines_of(file());
  ASSERT_EQ(lines.size(), 2u) << "reads leave none: " << *text;
  EXPECT_EQ(json::string_at(lines[0], {"user"}), "eve");
  EXPECT_EQ(json::string_at(lines[0], {"verb"}), "create");
  EXPECT_EQ(json::string_at(lines[0], {"resource"}), "configmaps");
  EXPECT_EQ(json::string_at(lines[0], {"namespace"}), "d");
  EXPECT_EQ(json::string_at(lines[0], {"name"}), "a");
  EXPECT_EQ(json::string_at(lines[0], {"source"}), "127.0.0.1:1");
  EXPECT_EQ(json::int_at(lines[0], {"code"}), 201);
  EXPECT_FALSE(json::string_at(lines[0], {"auditID"}).empty());
  EXPECT_FALSE(json::string_at(lines[0], {"time"}).empty());
  EXPECT_EQ(json::string_at(lines[1], {"user"}), "adam");
  EXPECT_EQ(json::string_at(lines[1], {"impersonator"}), "admin");
  EXPECT_TRUE(json::bool_at(lines[1], {"dryRun"}, false));
  struct stat found{};
  ASSERT_EQ(stat(file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

class Nobody final : public Authorizer {
 public:
  Task<Decision> authorize(Attributes) override { co_return Decision{false, "no"}; }
};

TEST_F(AuditTrailTest, AFloodOfRefusalsIsCounted) {
  auto trail = AuditTrail::open({.file = file()});
  ASSERT_TRUE(trail);
  Nobody nobody;
  Harness h({.authorizer = &nobody, .trail = trail->get()});
  h.run([&]() -> Task<> {
    for (int i = 0; i < 150; ++i)
      (void)co_await h.call("GET", "/api/v1/secrets", "", {{"x-test-user", "eve"}});
    (void)co_await h.timer.sleep_for(std::chrono::seconds(2));
    co_return Unit{};
  });
  const auto lines = lines_of(file());
  ASSERT_EQ(lines.size(), AuditTrail::kRefusedMax + 1);
  EXPECT_EQ(json::int_at(lines.front(), {"code"}), 403);
  EXPECT_EQ(json::int_at(lines.back(), {"refusedMore"}), 50);
}

TEST_F(AuditTrailTest, OldFilesGo) {
  auto trail = AuditTrail::open({.file = file(), .rotate_bytes = 1000, .files = 3});
  ASSERT_TRUE(trail);
  run(**trail, [&](Harness& h) -> Task<> {
    for (int i = 0; i < 40; ++i) {
      (void)co_await h.call("DELETE", "/api/v1/namespaces/d/configmaps/a" + std::to_string(i));
      (void)co_await h.timer.sleep_for(std::chrono::seconds(2));
    }
    co_return Unit{};
  });
  EXPECT_EQ(json::string_at(lines_of(file()).back(), {"name"}), "a39");
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    names.push_back(entry.path().filename().string());
    EXPECT_LE(std::filesystem::file_size(entry.path()), 1000u);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("audit.log", "audit.log.1", "audit.log.2"));
}

TEST_F(AuditTrailTest, AFileThatCannotBeWrittenIsTold) {
  EXPECT_FALSE(AuditTrail::open({.file = (folder_ / "none" / "audit.log").string()}));
}

}  // namespace
}  // namespace atl::apiserver

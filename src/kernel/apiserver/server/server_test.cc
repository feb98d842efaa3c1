#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

constexpr std::string_view kMaps = "/api/v1/namespaces/default/configmaps";

std::string config_map(std::string name, std::string value) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
         R"("},"data":{"k":")" + value + "\"}}";
}

json::Value parsed(const Harness::ReplyPtr& reply) {
  auto document = json::parse(reply->body, {.max_bytes = 64 << 20});
  EXPECT_TRUE(document.has_value()) << reply->body.substr(0, 300);
  return document ? *document : json::Value();
}

TEST(ApiServer, AnObjectFromItsCreationToItsEnd) {
  Harness h;
  h.run([&]() -> Task<> {
    const auto created = co_await h.call("POST", std::string(kMaps), config_map("a", "1"));
    EXPECT_EQ(created->status, 201) << created->body;
    const json::Value first = parsed(created);
    EXPECT_EQ(json::string_at(first, {"metadata", "name"}), "a");
    EXPECT_FALSE(json::string_at(first, {"metadata", "uid"}).empty());
    EXPECT_FALSE(json::string_at(first, {"metadata", "resourceVersion"}).empty());

    const auto again = co_await h.call("POST", std::string(kMaps), config_map("a", "1"));
    EXPECT_EQ(again->status, 409);
    EXPECT_EQ(json::string_at(parsed(again), {"message"}), "configmaps \"a\" already exists");

    const auto got = co_await h.call("GET", std::string(kMaps) + "/a");
    EXPECT_EQ(got->status, 200);
    EXPECT_EQ(got->body, created->body) << "GET sends what CREATE answered";

    const auto updated = co_await h.call("PUT", std::string(kMaps) + "/a", config_map("a", "2"));
    EXPECT_EQ(updated->status, 200) << updated->body;
    const auto same = co_await h.call("PUT", std::string(kMaps) + "/a", config_map("a", "2"));
    EXPECT_EQ(same->body, updated->body) << "nothing changed: same revision";

    const auto stale = co_await h.call("PUT", std::string(kMaps) + "/a", created->body);
    EXPECT_EQ(stale->status, 409) << stale->body;

    const auto listed = co_await h.call("GET", std::string(kMaps));
    EXPECT_EQ(json::array_at(parsed(listed), {"items"}).size(), 1u);
    EXPECT_EQ(json::string_at(parsed(listed), {"kind"}), "ConfigMapList");

    const auto removed = co_await h.call("DELETE", std::string(kMaps) + "/a");
    EXPECT_EQ(removed->status, 200) << removed->body;
    EXPECT_EQ(json::string_at(parsed(removed), {"status"}), "Success");
    const auto gone = co_await h.call("GET", std::string(kMaps) + "/a");
    EXPECT_EQ(gone->status, 404);
    EXPECT_EQ(json::string_at(parsed(gone), {"message"}), "configmaps \"a\" not found");
    EXPECT_EQ(json::string_at(parsed(gone), {"details", "kind"}), "configmaps");
    co_return Unit{};
  });
}

// Counts what is claimed, kept and given back.
class TallyHook final : public KindHook {
 public:
  struct Tally {
    int claimed = 0, kept = 0, returned = 0;
  };
  explicit TallyHook(Tally& tally) : tally_(tally) {}
  std::string_view name() const override { return "test.tally"; }
  Result<> reserve(WriteContext&) override {
    ++tally_.claimed;
    return Unit{};
  }
  void settle(const WriteContext&, bool stored) override {
    ++(stored ? tally_.kept : tally_.returned);
  }

 private:
  Tally& tally_;
};

TEST(ApiServer, AGeneratedNameThatIsTakenIsDrawnAgain) {
  TallyHook::Tally tally;
  Harness h({.before_start = [&](Harness& harness) {
    harness.hooks.add("", "configmaps", std::make_unique<TallyHook>(tally));
  }});
  h.run([&]() -> Task<> {
    const std::string body =
        R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"a-"}})";
    std::set<std::string> names;
    for (int i = 0; i < 3; ++i) {
      h.rng = SeededRng(7);  // the same draws each time
      const auto created = co_await h.call("POST", std::string(kMaps), body);
      EXPECT_EQ(created->status, 201) << created->body;
      names.emplace(json::string_at(parsed(created), {"metadata", "name"}));
    }
    EXPECT_EQ(names.size(), 3u) << "each got a name of its own";
    EXPECT_EQ(tally.claimed, 3) << "nothing is claimed for a name that is taken";
    EXPECT_EQ(tally.kept, 3);
    co_return Unit{};
  });
}

TEST(ApiServer, ANameThatIsTakenGivesBackItsClaims) {
  TallyHook::Tally tally;
  Harness h({.before_start = [&](Harness& harness) {
    harness.hooks.add("", "configmaps", std::make_unique<TallyHook>(tally));
  }});
  h.run([&]() -> Task<> {
    for (const int status : {201, 409}) {
      const auto created = co_await h.call("POST", std::string(kMaps), config_map("a", "1"));
      EXPECT_EQ(created->status, status) << created->body;
    }
    EXPECT_EQ(tally.kept, 1);
    EXPECT_EQ(tally.returned, 1);
    co_return Unit{};
  });
}

TEST(ApiServer, AWatchSeesWhatHappensInOrder) {
  Harness h;
  h.run([&]() -> Task<> {
    (void)co_await h.call("POST", std::string(kMaps), config_map("before", "1"));
    const auto stream = h.open(std::string(kMaps) + "?watch=1");
    json::Value event = co_await h.next_line(stream);
    EXPECT_EQ(json::string_at(event, {"type"}), "ADDED");
    EXPECT_EQ(json::string_at(event, {"object", "metadata", "name"}), "before");

    (void)co_await h.call("POST", std::string(kMaps), config_map("a", "1"));
    (void)co_await h.call("POST", "/api/v1/namespaces/other/configmaps",
                          config_map("elsewhere", "1"));
    (void)co_await h.call("PUT", std::string(kMaps) + "/a", config_map("a", "2"));
    (void)co_await h.call("DELETE", std::string(kMaps) + "/a");
    for (const char* type : {"ADDED", "MODIFIED", "DELETED"}) {
      event = co_await h.next_line(stream);
      EXPECT_EQ(json::string_at(event, {"type"}), type);
      EXPECT_EQ(json::string_at(event, {"object", "metadata", "name"}), "a");
    }
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

// Nobody shuts the others out: places, shares and deadlines, in virtual time.
#include "kernel/apiserver/pipeline/fairness.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

using Use = Fairness::Use;
using Seconds = std::chrono::seconds;
constexpr std::string_view kMaps = "/api/v1/namespaces/d/configmaps";

size_t places_for(Fairness& fairness, Use use, const UserInfo& user,
                  std::vector<Fairness::Ticket>& held) {
  for (size_t i = 0;; ++i) {
    auto ticket = fairness.admit(use, user);
    if (!ticket) return i;
    held.push_back(*std::move(ticket));
  }
}

TEST(Fairness, ACallerHasAShareAndWhatRunsTheClusterHasPlacesOfItsOwn) {
  struct Case {
    std::string_view name;
    UserInfo user;
    size_t writes;
  };
  const Case cases[] = {
      {"a person has a tenth", {.name = "eve"}, 20},
      {"another one has as many", {.name = "adam"}, 20},
      {"a service account has a tenth", {.name = "system:serviceaccount:a:x"}, 20},
      {"its namespace has no more than that", {.name = "system:serviceaccount:a:y"}, 0},
      {"a namespace whose name begins alike", {.name = "system:serviceaccount:ab:x"}, 20},
      {"nobody in particular", {.name = "system:anonymous"}, 20},
      {"an administrator", {.name = "root", .groups = {"system:masters"}}, 200},
  };
  Fairness fairness({});
  std::vector<Fairness::Ticket> held;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(places_for(fairness, Use::kWrite, c.user, held), c.writes);
  }
  EXPECT_EQ(fairness.writes(), 300u);
  held.clear();
  EXPECT_EQ(fairness.writes(), 0u);
  EXPECT_TRUE(fairness.admit(Use::kWrite, {.name = "eve"})) << "places are given back";
}

TEST(Fairness, ManyCallersDoNotTakeThePlacesOfNodes) {
  Fairness fairness({.writes = 20});
  std::vector<Fairness::Ticket> held;
  for (const char* name : {"a", "b", "c"})
    (void)places_for(fairness, Use::kWrite, {.name = name}, held);
  EXPECT_EQ(fairness.writes(), 20u);
  EXPECT_FALSE(fairness.admit(Use::kWrite, {.name = "d"}));
  const UserInfo node{.name = "system:node:n", .groups = {"system:nodes"}};
  EXPECT_TRUE(fairness.admit(Use::kWrite, node));
  EXPECT_TRUE(fairness.admit(Use::kWrite, {.name = "system:kube-scheduler"}));
  EXPECT_TRUE(fairness.admit(Use::kRead, {.name = "d"})) << "reads have places of their own";
}

// A body that comes byte by byte, each in time for a limit that every byte would restart.
class SlowBody final : public net::BodyReader {
 public:
  explicit SlowBody(Timer& timer) : timer_(timer) {}
  Task<std::string> read_some() override {
    const bool slept = co_await timer_.sleep_for(Seconds(5));
    if (!slept) co_return Error(Code::kCancelled, "nobody waits for the body");
    co_return std::string(" ");
  }

 private:
  Timer& timer_;
};

TEST(Fairness, SlowWritesOfOneAccountDoNotShutOutTheOthers) {
  Harness h;
  h.run([&]() -> Task<> {
    const net::Headers eve{{"x-test-user", "system:serviceaccount:a:eve"}};
    const net::Headers adam{{"x-test-user", "adam"}};
    std::vector<Harness::ReplyPtr> slow;
    for (int i = 0; i < 250; ++i) {
      slow.push_back(h.send("POST", std::string(kMaps), std::make_shared<SlowBody>(h.timer), eve));
    }
    (void)co_await h.timer.sleep_for(Seconds(1));
    EXPECT_EQ(std::ranges::count(slow, 429, [](const auto& reply) { return reply->status; }), 230)
        << "twenty bodies of one account are waited for, the others are told to come again";
    EXPECT_EQ(slow.back()->headers.get("retry-after"), "1");
    const std::string map = R"({"metadata":{"name":"a"}})";
    const auto other = co_await h.call("POST", std::string(kMaps), map, adam);
    EXPECT_EQ(other->status, 201) << other->body;
    const auto admin = co_await h.call("DELETE", std::string(kMaps) + "/a");
    EXPECT_EQ(admin->status, 200) << admin->body;

    (void)co_await h.timer.sleep_for(Seconds(34));
    EXPECT_EQ(slow.front()->status, 504) << "a body as a whole has 34 seconds";
    const auto again = co_await h.call("POST", std::string(kMaps), map, eve);
    EXPECT_EQ(again->status, 201) << again->body;
    co_return Unit{};
  });
}

TEST(Fairness, StreamsAreBoundedForEachCallerButNotForTheControlPlane) {
  Harness h({.limits = {.streams = 40}});
  h.run([&]() -> Task<> {
    const std::string watch = std::string(kMaps) + "?watch=1";
    std::vector<Harness::ReplyPtr> streams;
    const auto open = [&](net::Headers headers, int count) {
      for (int i = 0; i < count; ++i) streams.push_back(h.open(watch, headers));
    };
    open({{"x-test-user", "eve"}}, 11);
    open({{"x-test-user", "adam"}}, 1);
    open({{"x-test-user", "system:node:n"}, {"x-test-group", "system:nodes"}}, 50);
    (void)co_await h.timer.sleep_for(Seconds(1));
    const auto refused = [&] {
      return std::ranges::count(streams, 429, [](const auto& reply) { return reply->status; });
    };
    EXPECT_EQ(refused(), 1);
    EXPECT_EQ(streams[10]->status, 429) << "a caller has a quarter";
    EXPECT_EQ(streams[10]->headers.get("retry-after"), "1");
    for (const char* name : {"b", "c", "d"}) open({{"x-test-user", name}}, 10);
    (void)co_await h.timer.sleep_for(Seconds(1));
    EXPECT_EQ(refused(), 2) << "forty in total";

    (void)co_await h.timer.sleep_for(std::chrono::hours(1));  // all watches came to their end
    open({{"x-test-user", "eve"}}, 10);
    (void)co_await h.timer.sleep_for(Seconds(1));
    EXPECT_EQ(refused(), 2) << "a stream that ended gives its place back";
    co_return Unit{};
  });
}

TEST(Fairness, ProbesAreAnsweredAtAnyLoad) {
  Harness h({.limits = {.reads = 0}});
  h.run([&]() -> Task<> {
    for (const char* path : {"/livez", "/readyz", "/readyz/ping", "/healthz"}) {
      const auto probe = co_await h.call("GET", path);
      EXPECT_EQ(probe->status, 200) << path;
    }
    const auto other = co_await h.call("GET", "/readyzz");
    EXPECT_EQ(other->status, 429);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

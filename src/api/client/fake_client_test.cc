#include "api/client/fake_client.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"

namespace atl::api {
namespace {

using namespace std::chrono_literals;

const Gvr kPods{"", "v1", "pods"};
const Gvr kSets{"apps", "v1", "replicasets"};

json::Value pod(std::string_view name, std::string_view node = {}) {
  return json::Object{
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata",
       json::Object{{"namespace", "d"}, {"name", name}, {"labels", json::Object{{"app", "web"}}}}},
      {"spec", json::Object{{"nodeName", node}}}};
}

class FakeClientTest : public testing::Test {
 protected:
  void run(std::function<Task<>()> body) {
    const Result<> result = run_simulated(loop_, timer_, 1h, std::move(body));
    EXPECT_TRUE(result) << result.error().message();
  }
  asio::io_context loop_;
  SimTimer timer_;
  SeededRng rng_{1};
  FakeClient client_{timer_, rng_};
};

TEST_F(FakeClientTest, AStaleUpdateIsAConflictAndAnEqualOneNoEvent) {
  run([&]() -> Task<> {
    CO_TRY(const ObjectPtr made, co_await client_.create(kPods, "d", pod("a"), {}));
    EXPECT_FALSE(made->uid().empty());
    EXPECT_EQ(made->header().generation, 1);
    json::Value changed = made->parse();
    json::set(changed, {"spec", "priority"}, json::Value(1));
    CO_TRY(const ObjectPtr second, co_await client_.update(kPods, made->key(), changed, {}));
    EXPECT_EQ(second->header().generation, 2);
    const auto stale = co_await client_.update(kPods, made->key(), changed, {});
    EXPECT_EQ(stale.error().code(), Code::kConflict);
    CO_TRY(const ObjectPtr same, co_await client_.update(kPods, made->key(), second->parse(), {}));
    EXPECT_EQ(same->revision(), second->revision());
    co_return Unit{};
  });
}

TEST_F(FakeClientTest, StatusIsWrittenByItselfOnly) {
  run([&]() -> Task<> {
    CO_TRY(const ObjectPtr made, co_await client_.create(kPods, "d", pod("a"), {}));
    json::Value changed = made->parse();
    json::set(changed, {"status", "phase"}, json::Value("Running"));
    json::set(changed, {"spec", "priority"}, json::Value(1));
    WriteOptions status;
    status.subresource = "status";
    CO_TRY(const ObjectPtr after, co_await client_.update(kPods, made->key(), changed, status));
    EXPECT_EQ(after->header().generation, 1);
    EXPECT_EQ(json::string_at(after->parse(), {"status", "phase"}), "Running");
    EXPECT_EQ(json::find(after->parse(), {"spec", "priority"}), nullptr);
    co_return Unit{};
  });
}

TEST_F(FakeClientTest, ABoundPodGoesInTwoStepsAndFinalizersHold) {
  run([&]() -> Task<> {
    CO_TRY_OK(co_await client_.create(kPods, "d", pod("a", "n1"), {}));
    CO_TRY_OK(co_await client_.remove(kPods, {"d", "a"}, {}));
    const ObjectPtr dying = client_.peek(kPods, {"d", "a"});
    EXPECT_TRUE(dying && dying->header().deleting);
    DeleteOptions now;
    now.grace_seconds = 0;
    CO_TRY_OK(co_await client_.remove(kPods, {"d", "a"}, now));
    EXPECT_EQ(client_.peek(kPods, {"d", "a"}), nullptr);

    CO_TRY_OK(co_await client_.create(kSets, "d",
                                      json::Object{{"metadata", json::Object{{"name", "s"}}}}, {}));
    DeleteOptions foreground;
    foreground.propagation = "Foreground";
    CO_TRY_OK(co_await client_.remove(kSets, {"d", "s"}, foreground));
    const ObjectPtr held = client_.peek(kSets, {"d", "s"});
    EXPECT_TRUE(held && held->header().deleting);
    json::Value free = held->parse();
    json::set(free, {"metadata", "finalizers"}, json::Array{});
    CO_TRY_OK(co_await client_.update(kSets, held->key(), free, {}));
    EXPECT_EQ(client_.peek(kSets, {"d", "s"}), nullptr);
    co_return Unit{};
  });
}

TEST_F(FakeClientTest, ASelectorTellsEnteringFromChanging) {
  run([&]() -> Task<> {
    WatchOptions options;
    options.label_selector = "app=web";
    options.from = client_.revision();
    CO_TRY(const auto watch, co_await client_.watch(kPods, options));
    CO_TRY_OK(client_.put(kPods, pod("a")));
    json::Value other = pod("a");
    json::set(other, {"metadata", "labels", "app"}, json::Value("db"));
    CO_TRY_OK(client_.put(kPods, other));
    CO_TRY(const WatchEvent first, co_await watch->next());
    EXPECT_EQ(first.type, EventType::kAdded);
    CO_TRY(const WatchEvent second, co_await watch->next());
    EXPECT_EQ(second.type, EventType::kDeleted);
    client_.break_watches();
    const auto broken = co_await watch->next();
    EXPECT_EQ(broken.error().code(), Code::kUnavailable);
    co_return Unit{};
  });
}

TEST_F(FakeClientTest, ALostReplyStillHappened) {
  run([&]() -> Task<> {
    client_.set_faults([](const FakeCall& call) -> std::optional<Fault> {
      if (call.verb != "create") return std::nullopt;
      return Fault{Fault::When::kAfter, Error(Code::kTimeout, "lost")};
    });
    const auto made = co_await client_.create(kPods, "d", pod("a"), {});
    EXPECT_EQ(made.error().code(), Code::kTimeout);
    EXPECT_NE(client_.peek(kPods, {"d", "a"}), nullptr);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::api

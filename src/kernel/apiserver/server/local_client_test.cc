#include "kernel/apiserver/server/local_client.h"

#include <gtest/gtest.h>

#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

const api::Gvr kMaps{"", "v1", "configmaps"};
const api::Gvr kDeployments{"apps", "v1", "deployments"};

json::Value map(std::string_view name, std::string_view data) {
  return json::Object{{"metadata", json::Object{{"name", name}}},
                      {"data", json::Object{{"k", data}}}};
}

TEST(LocalClient, DoesWhatEveryClientDoes) {
  Harness h;
  h.run([&]() -> Task<> {
    const auto client = h.server->client_as({.name = "c"}, "tester");
    CO_TRY(const api::ObjectPtr created, co_await client->create(kMaps, "d", map("a", "1")));
    EXPECT_EQ(json::string_at(created->parse(), {"metadata", "managedFields"}, "-"), "-")
        << "a list, not text";
    EXPECT_EQ(json::string_at(json::array_at(created->parse(), {"metadata", "managedFields"})[0],
                              {"manager"}),
              "tester");
    CO_TRY(const api::ObjectPtr got, co_await client->get(kMaps, {"d", "a"}));
    EXPECT_EQ(got->bytes(), h.cache->get("", "configmaps", {"d", "a"})->bytes())
        << "the cache's own bytes, not a copy";

    CO_TRY(const auto watch,
           co_await client->watch(kMaps, {.ns = "d", .from = created->revision()}));
    json::Value next = got->parse();
    json::set(next, {"data", "k"}, json::Value("2"));
    CO_TRY(const api::ObjectPtr updated, co_await client->update(kMaps, {"d", "a"}, next));
    CO_TRY(const api::WatchEvent event, co_await watch->next());
    EXPECT_EQ(event.type, api::EventType::kModified);
    EXPECT_EQ(event.revision, updated->revision());
    const auto stale = co_await client->update(kMaps, {"d", "a"}, next);
    EXPECT_EQ(stale.error().code(), Code::kConflict);

    CO_TRY_OK(co_await client->patch(kMaps, {"d", "a"}, api::PatchType::kMerge,
                                     json::Object{{"data", json::Object{{"l", "3"}}}}));
    CO_TRY(const api::ObjectList list,
           co_await client->list(kMaps, {.field_selector = "metadata.name=a"}));
    EXPECT_EQ(list.items.size(), 1u);
    EXPECT_EQ(json::string_at(list.items[0]->parse(), {"data", "l"}), "3");

    const auto wrong = co_await client->remove(kMaps, {"d", "a"}, {.uid = "another"});
    EXPECT_EQ(wrong.error().code(), Code::kConflict);
    CO_TRY_OK(co_await client->remove(kMaps, {"d", "a"}, {.uid = created->uid()}));
    const auto gone = co_await client->get(kMaps, {"d", "a"});
    EXPECT_EQ(gone.error().code(), Code::kNotFound);
    const auto unknown = co_await client->get({"", "v1", "things"}, {"d", "a"});
    EXPECT_EQ(unknown.error().code(), Code::kNotFound);
    co_return Unit{};
  });
}

TEST(LocalClient, ReadsAndWritesSubresources) {
  Harness h;
  h.run([&]() -> Task<> {
    const auto client = h.server->client_as({.name = "c"}, "tester");
    CO_TRY(json::Value wanted,
           json::parse(
               R"({"metadata":{"name":"w"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{
             "metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})"));
    CO_TRY_OK(co_await client->create(kDeployments, "d", std::move(wanted)));
    api::PatchOptions at;
    at.subresource = "scale";
    CO_TRY(const api::ObjectPtr scale,
           co_await client->patch(kDeployments, {"d", "w"}, api::PatchType::kMerge,
                                  json::Object{{"spec", json::Object{{"replicas", 4}}}}, at));
    EXPECT_EQ(scale->header().gvk.kind, "Scale");
    at.subresource = "status";
    CO_TRY_OK(co_await client->patch(kDeployments, {"d", "w"}, api::PatchType::kMerge,
                                     json::Object{{"status", json::Object{{"replicas", 4}}}}, at));
    CO_TRY(const api::ObjectPtr got, co_await client->get(kDeployments, {"d", "w"}));
    EXPECT_EQ(json::int_at(got->parse(), {"spec", "replicas"}), 4);
    EXPECT_EQ(json::int_at(got->parse(), {"status", "replicas"}), 4);
    co_return Unit{};
  });
}

// Says yes to the verbs it was given.
class OnlyVerbs final : public Authorizer {
 public:
  explicit OnlyVerbs(std::vector<std::string> verbs) : verbs(std::move(verbs)) {}
  Task<Decision> authorize(Attributes attributes) override {
    for (const std::string& verb : verbs) {
      if (verb == attributes.verb) co_return Decision{.allowed = true};
    }
    co_return Decision{};
  }
  std::vector<std::string> verbs;
};

TEST(LocalClient, HasNoRightsOfItsOwn) {
  OnlyVerbs reader({"get", "list"});
  Harness h({.authorizer = &reader});
  h.run([&]() -> Task<> {
    const auto client = h.server->client_as({.name = "reader"}, "tester");
    CO_TRY_OK(co_await client->list(kMaps, {}));
    const auto refused = co_await client->create(kMaps, "d", map("a", "1"));
    EXPECT_EQ(refused.error().code(), Code::kForbidden);
    EXPECT_EQ(refused.error().message(),
              "configmaps is forbidden: User \"reader\" cannot create resource \"configmaps\" in "
              "API group \"\" in the "
              "namespace \"d\"");
    co_return Unit{};
  });
}

TEST(ApiServer, AStreamEndsSoonAfterItsRightIsGone) {
  OnlyVerbs rights({"watch"});
  Harness h({.authorizer = &rights});
  h.run([&]() -> Task<> {
    const auto stream = h.open("/api/v1/configmaps?watch=1");
    (void)co_await h.timer.sleep_for(std::chrono::seconds(20));
    EXPECT_FALSE(stream->finished) << "it may go on";
    rights.verbs.clear();
    (void)co_await h.timer.sleep_for(std::chrono::seconds(10));
    EXPECT_TRUE(stream->finished);
    const json::Value last = co_await h.next_line(stream);
    EXPECT_EQ(json::string_at(last, {"type"}), "ERROR");
    EXPECT_EQ(json::int_at(last, {"object", "code"}), 403);
    EXPECT_EQ(h.cache->watchers(), 0u);
    co_return Unit{};
  });
}

TEST(ApiServer, TooManyRequestsAreToldToWait) {
  Harness h({.limits = {.reads = 0, .writes = 1}});
  h.run([&]() -> Task<> {
    const auto refused = co_await h.call("GET", "/api/v1/configmaps");
    EXPECT_EQ(refused->status, 429);
    EXPECT_EQ(refused->headers.get("retry-after"), "1");
    const auto created =
        co_await h.call("POST", "/api/v1/namespaces/d/configmaps", R"({"metadata":{"name":"a"}})");
    EXPECT_EQ(created->status, 201);
    const auto stream = h.open("/api/v1/configmaps?watch=1");
    const json::Value event = co_await h.next_line(stream);
    EXPECT_EQ(json::string_at(event, {"type"}), "ADDED") << "streams do not count";
    co_return Unit{};
  });
}

// Everybody adds one label at the same time: each patch is decided again until it fits.
TEST(ApiServer, NoPatchOfMayAtATimeIsLost) {
  Harness h;
  h.run([&]() -> Task<> {
    const std::string path = "/api/v1/namespaces/d/configmaps/a";
    (void)co_await h.call("POST", "/api/v1/namespaces/d/configmaps",
                          R"({"metadata":{"name":"a"}})");
    constexpr int kWriters = 30;
    TaskGroup writers(h.loop.get_executor());
    int succeeded = 0;
    for (int i = 0; i < kWriters; ++i) {
      writers.spawn("writer", [&h, &succeeded, path, i]() -> Async<void> {
        const std::string patch =
            R"({"metadata":{"labels":{"l)" + std::to_string(i) + R"(":"x"}}})";
        const auto reply = co_await h.call("PATCH", path, patch,
                                           {{"content-type", "application/merge-patch+json"}});
        succeeded += reply->status == 200;
      });
    }
    while (writers.running() > 0) (void)co_await h.timer.sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(succeeded, kWriters);
    EXPECT_EQ(h.cache->get("", "configmaps", {"d", "a"})->header().labels.size(), size_t(kWriters));
    co_await writers.stop();
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

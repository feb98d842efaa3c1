#include "api/client/remote_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include <boost/asio/io_context.hpp>

#include "api/client/status_error.h"
#include "base/async/run.h"
#include "base/net/server.h"

namespace atl::api {
namespace {

using namespace std::chrono_literals;

const Gvr kPods{"", "v1", "pods"};
const Gvr kDeployments{"apps", "v1", "deployments"};
const Gvr kNodes{"", "v1", "nodes"};

TEST(StatusError, EveryCodeComesBackAsItWasTold) {
  for (int i = 0; i <= int(Code::kExhausted); ++i) {
    const Code code{uint8_t(i)};
    const json::Value status = json::Object{{"reason", status_reason(code)}};
    EXPECT_EQ(error_from_status(http_code(code), status).code(), code) << name(code);
  }
}

TEST(StatusError, ReasonFirstThenCode) {
  struct Case {
    int http;
    const char* status;
    Code code;
  };
  const Case cases[] = {
      {409, R"({"reason":"AlreadyExists"})", Code::kExists},
      {409, R"({"reason":"Conflict"})", Code::kConflict},
      {410, R"({"reason":"Expired"})", Code::kGone},
      {404, R"({})", Code::kNotFound},
      {409, R"({})", Code::kConflict},
      {500, R"({"reason":"ServerTimeout"})", Code::kTimeout},
      {502, R"("Bad Gateway")", Code::kUnavailable},
      {418, R"({"reason":"Teapot"})", Code::kBadRequest},
  };
  for (const Case& c : cases)
    EXPECT_EQ(error_from_status(c.http, *json::parse(c.status)).code(), c.code) << c.status;
  const Error quota = error_from_status(
      429,
      *json::parse(
          R"({"message":"m","details":{"retryAfterSeconds":3,"causes":[{"reason":"r","field":"f"}]}})"));
  EXPECT_EQ(quota.message(), "m");
  EXPECT_EQ(quota.retry_after(), 3s);
  EXPECT_EQ(quota.causes().at(0).field, "f");
}

// A server that answers from a script and notes what was asked.
class RemoteClientTest : public testing::Test {
 protected:
  struct Answer {
    int status = 200;
    std::string body = "{}";
    std::vector<std::string> pieces;  // of a stream, instead of a body
  };

  void run(std::function<Task<>()> body) {
    server_ = net::Server::make(loop_.get_executor(), timer_,
                                [this](net::Request request, net::Responder& responder) {
                                  return answer(std::move(request), responder);
                                },
                                {});
    const Result<uint16_t> port = server_->listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(port);
    ClusterAccess access;
    access.endpoint.host = "127.0.0.1";
    access.endpoint.port = *port;
    access.token = "secret";
    client_ = std::make_unique<RemoteClient>(loop_.get_executor(), timer_, rng_, access,
                                             RemoteClient::Options{});
    const Result<> result = atl::run(loop_, [&]() -> Task<> {
      Result<> done = co_await body();
      co_await server_->stop(0s);
      co_return done;
    });
    EXPECT_TRUE(result) << result.error().message();
  }
  Async<void> answer(net::Request request, net::Responder& responder) {
    const Result<std::string> body = co_await request.body->read_all(1 << 20);
    asked_.push_back(request.method + " " + request.path +
                     (request.query.empty() ? "" : "?" + request.query));
    bodies_.push_back(body ? *body : "");
    types_.emplace_back(request.headers.get("content-type"));
    authorization_ = request.headers.get("authorization");
    const Answer next = answers_.empty() ? Answer{} : answers_.front();
    if (!answers_.empty()) answers_.pop_front();
    if (next.pieces.empty()) {
      net::Response response{
          next.status, {{"content-type", "application/json"}}, {share(next.body)}};
      const Result<> sent = co_await responder.send(std::move(response));
      EXPECT_TRUE(sent);
      co_return;
    }
    auto stream = co_await responder.stream(200, {{"content-type", "application/json"}});
    for (const std::string& piece : next.pieces) {
      const Result<> written = co_await (*stream)->write(share(piece));
      EXPECT_TRUE(written);
      co_await timer_.sleep_for(1ms);
    }
    const Result<> finished = co_await (*stream)->finish();
    EXPECT_TRUE(finished);
  }

  asio::io_context loop_;
  SystemTimer timer_;
  SeededRng rng_{1};
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<RemoteClient> client_;
  std::deque<Answer> answers_;
  std::vector<std::string> asked_, bodies_, types_;
  std::string authorization_;
};

TEST_F(RemoteClientTest, AsksWhereTheApiStands) {
  answers_ = {
      {.body =
           R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"d","resourceVersion":"7"}})"}};
  run([&]() -> Task<> {
    CO_TRY(const ObjectPtr pod, co_await client_->get(kPods, {"d", "a"}));
    EXPECT_EQ(pod->revision().value, 7u);
    ListOptions some;
    some.label_selector = "app=web,tier in (a,b)";
    some.limit = 5;
    CO_TRY_OK(co_await client_->list(kDeployments, some));
    WriteOptions status;
    status.subresource = "status";
    status.dry_run = true;
    CO_TRY_OK(co_await client_->update(kNodes, {"", "n"}, json::Object{{"a", 1}}, status));
    PatchOptions apply;
    apply.field_manager = "me";
    apply.force = true;
    CO_TRY_OK(co_await client_->patch(kPods, {"d", "a"}, PatchType::kApply, json::Object{}, apply));
    DeleteOptions options;
    options.uid = "u";
    options.grace_seconds = 0;
    options.propagation = "Foreground";
    CO_TRY_OK(co_await client_->remove(kPods, {"d", "a"}, options));
    CO_TRY_OK(co_await client_->post(kPods, {"d", "a"}, "binding", json::Object{}));
    co_return Unit{};
  });
  EXPECT_THAT(
      asked_,
      testing::ElementsAre(
          "GET /api/v1/namespaces/d/pods/a",
          "GET /apis/apps/v1/deployments?labelSelector=app%3Dweb%2Ctier%20in%20%28a%2Cb%29&limit=5",
          "PUT /api/v1/nodes/n/status?fieldManager=atoll&dryRun=All",
          "PATCH /api/v1/namespaces/d/pods/a?fieldManager=me&force=true",
          "DELETE /api/v1/namespaces/d/pods/a", "POST /api/v1/namespaces/d/pods/a/binding"));
  EXPECT_EQ(
      bodies_[4],
      R"({"apiVersion":"v1","gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"uid":"u"},"propagationPolicy":"Foreground"})");
  EXPECT_EQ(types_[3], "application/apply-patch+yaml");
  EXPECT_EQ(authorization_, "Bearer secret");
}

TEST_F(RemoteClientTest, ItemsOfAListGetTheirKind) {
  answers_ = {
      {.body =
           R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"c"},
    "items":[{"metadata":{"name":"a","resourceVersion":"3"}}]})"}};
  run([&]() -> Task<> {
    CO_TRY(const ObjectList list, co_await client_->list(kPods, {}));
    EXPECT_EQ(list.revision.value, 9u);
    EXPECT_EQ(list.continue_token, "c");
    EXPECT_EQ(list.items.at(0)->header().gvk.kind, "Pod");
    EXPECT_EQ(list.items.at(0)->revision().value, 3u);
    co_return Unit{};
  });
}

TEST_F(RemoteClientTest, AWatchIsReadLineByLineHoweverItIsCut) {
  answers_ = {
      {.pieces = {R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"3"}}})"
                  "\n"
                  R"({"type":"DEL)",
                  R"(ETED","object":{"metadata":{"name":"a","resourceVersion":"4"}}})"
                  "\n",
                  R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8"}}})"
                  "\n"
                  R"({"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}})"
                  "\n"}}};
  run([&]() -> Task<> {
    WatchOptions options;
    options.from = Revision{2};
    CO_TRY(const auto watch, co_await client_->watch(kPods, options));
    CO_TRY(const WatchEvent added, co_await watch->next());
    EXPECT_EQ(added.type, EventType::kAdded);
    CO_TRY(const WatchEvent deleted, co_await watch->next());
    EXPECT_EQ(deleted.type, EventType::kDeleted);
    EXPECT_EQ(deleted.revision.value, 4u);
    CO_TRY(const WatchEvent bookmark, co_await watch->next());
    EXPECT_EQ(bookmark.revision.value, 8u);
    const auto gone = co_await watch->next();
    EXPECT_EQ(gone.error().code(), Code::kGone);
    const auto ended = co_await watch->next();
    EXPECT_EQ(ended.error().code(), Code::kUnavailable);
    co_return Unit{};
  });
  EXPECT_THAT(
      asked_[0],
      testing::StartsWith(
          "GET "
          "/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=2&timeoutSeconds="));
}

TEST_F(RemoteClientTest, FailuresAreTheServersOwn) {
  answers_ = {{409, R"({"kind":"Status","reason":"Conflict","message":"changed","code":409})", {}},
              {200, "not json", {}},
              {403, R"({"reason":"Forbidden","message":"no"})", {}}};
  run([&]() -> Task<> {
    const auto conflict = co_await client_->update(kPods, {"d", "a"}, json::Object{}, {});
    EXPECT_EQ(conflict.error().code(), Code::kConflict);
    EXPECT_EQ(conflict.error().message(), "changed");
    const auto broken = co_await client_->get(kPods, {"d", "a"});
    EXPECT_FALSE(broken);
    const auto refused = co_await client_->watch(kPods, {});
    EXPECT_EQ(refused.error().code(), Code::kForbidden);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::api

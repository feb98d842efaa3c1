#include "base/net/websocket.h"
#include "gateway/gateway_fixture.h"
#include "gateway/rude_app_impl.h"

namespace atl::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(GatewayTest, IngressSemantics) {
  app("web", "127.0.1.1", 80);
  app("api", "127.0.1.2", 80);
  put_service("web", "127.0.1.1", 80);
  put_service("api", "127.0.1.2", 80);
  put_ingress("a", "a.localhost",
              {{"Prefix", "/foo", "web"},
               {"Exact", "/foo", "api"},
               {"Prefix", "/foo/bar/", "api"},
               {"Exact", "/Case", "api"}});
  put_ingress("w", "*.wild.org", {{"Prefix", "/", "web"}});
  put_ingress("w2", "one.wild.org", {{"Prefix", "/only", "api"}});
  put_ingress("last", "z.localhost", {{"Prefix", "/", "web"}});
  until_answers("z.localhost", "/", 200);
  const struct {
    const char* why;
    const char* host;
    const char* path;
    const char* want;
  } cases[] = {
      {"exact goes before prefix", "a.localhost", "/foo", "200 api"},
      {"the query is no part of the path", "a.localhost", "/foo?x=/foo/bar", "200 api"},
      {"below the prefix", "a.localhost", "/foo/x", "200 web"},
      {"its trailing slash is below", "a.localhost", "/foo/", "200 web"},
      {"whole elements only", "a.localhost", "/foobar", "404"},
      {"the longer prefix wins", "a.localhost", "/foo/bar/x", "200 api"},
      {"a slash at a prefix's end does not matter", "a.localhost", "/foo/bar", "200 api"},
      {"paths have a case", "a.localhost", "/FOO", "404"},
      {"exact too", "a.localhost", "/Case", "200 api"},
      {"and exact is exact", "a.localhost", "/Case/", "404"},
      {"hosts have none", "A.LOCALHOST", "/foo/x", "200 web"},
      {"a port does not matter", "a.localhost:8080", "/foo/x", "200 web"},
      {"nor the root's dot", "a.localhost.", "/foo/x", "200 web"},
      {"a wildcard is one label", "x.wild.org", "/", "200 web"},
      {"not two", "x.y.wild.org", "/", "404"},
      {"not none", "wild.org", "/", "404"},
      {"a host of its own goes before", "one.wild.org", "/only", "200 api"},
      {"for all its paths", "one.wild.org", "/other", "404"},
      {"nobody", "unknown.localhost", "/", "404"},
      {"no host that is one", "a/b", "/", "400"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_THAT(get(c.host, c.path), StartsWith(c.want));
  }
  EXPECT_THAT(get("unknown.localhost", "/"), HasSubstr("kubectl get ingress"));
}

TEST_F(GatewayTest, HeadersSayWhoAskedAndBodiesArriveWhole) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  until_answers("a.localhost", "/", 200);
  go([&]() -> Task<> {
    CO_TRY(const Fetched got,
           co_await fetch("a.localhost", "/x", "POST", "hello", false,
                          {{"x-forwarded-for", "6.6.6.6"}, {"x-forwarded-proto", "https"}}));
    EXPECT_EQ(got.body, "web POST /x 127.0.0.1 http a.localhost hello")
        << "a client's own claims count nothing";
    CO_TRY(const Fetched secure, co_await fetch("a.localhost", "/", "GET", "", true));
    EXPECT_EQ(secure.body, "web GET / 127.0.0.1 https a.localhost")
        << "the default certificate serves";
    CO_TRY(const Fetched large,
           co_await fetch("a.localhost", "/", "POST", std::string((1 << 20) + 1, 'x')));
    EXPECT_EQ(large.status, 413);
    EXPECT_THAT(large.body, HasSubstr("GATEWAY_MAX_BODY_BYTES"));
    co_return Unit{};
  });
}

TEST_F(GatewayTest, WhatIsMissingSaysSoToBothSides) {
  put_ingress("a", "a.localhost", {{"Prefix", "/", "nobody"}});
  put_service("asleep", "127.0.1.9", 80);  // nobody listens there
  put_ingress("b", "b.localhost", {{"Prefix", "/", "asleep"}});
  until_answers("a.localhost", "/", 503);
  EXPECT_THAT(get("a.localhost", "/"), HasSubstr("kubectl describe ingress"));
  EXPECT_THAT(get("b.localhost", "/"), StartsWith("503"));
  EXPECT_THAT(get("b.localhost", "/"), HasSubstr("No pod of its Service accepts connections"));
  eventually("there is no event", [&]() -> Async<bool> {
    for (const api::ObjectPtr& event : client_.peek_all(kEvents)) {
      if (event->text().find("there is no Service \\\"nobody\\\"") != std::string::npos)
        co_return true;
    }
    co_return false;
  });
  app("late", "127.0.1.3", 80);
  put_service("nobody", "127.0.1.3", 80);
  until_answers("a.localhost", "/", 200);
}

TEST_F(GatewayTest, StatusAndClassAreWritten) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  until_answers("a.localhost", "/", 200);
  eventually("status.loadBalancer is not written", [&]() -> Async<bool> {
    const json::Value document = client_.peek(kIngresses, {"default", "a"})->parse();
    const json::Array& ingress = json::array_at(document, {"status", "loadBalancer", "ingress"});
    co_return ingress.size() == 1 && json::string_at(ingress[0], {"ip"}) == "127.0.0.1";
  });
  const auto made = client_.peek({"networking.k8s.io", "v1", "ingressclasses"}, {"", "atoll"});
  ASSERT_NE(made, nullptr);
  EXPECT_THAT(made->text(), HasSubstr("\"ingressclass.kubernetes.io/is-default-class\":\"true\""));
}

TEST_F(GatewayTest, AnotherClassIsLeftAlone) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  put_ingress("other", "other.localhost", {{"Prefix", "/", "web"}});
  json::Value document = client_.peek(kIngresses, {"default", "other"})->parse();
  json::set(document, {"spec", "ingressClassName"}, "nginx");
  ASSERT_TRUE(client_.put(kIngresses, document));
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  until_answers("a.localhost", "/", 200);
  until_answers("other.localhost", "/", 404);
  json::erase(document, {"spec", "ingressClassName"});
  ASSERT_TRUE(client_.put(kIngresses, document));
  until_answers("other.localhost", "/", 200);  // ours is the default class
}

TEST_F(GatewayTest, RedirectsOnlyWhereAsked) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}}, "",
              R"("gateway.atoll.dev/ssl-redirect":"true")");
  until_answers("a.localhost", "/x?y=1", 308);
  go([&]() -> Task<> {
    CO_TRY(const Fetched plain, co_await fetch("a.localhost", "/x?y=1"));
    EXPECT_EQ(plain.headers.get("location"), "https://a.localhost:8443/x?y=1");
    CO_TRY(const Fetched secure, co_await fetch("a.localhost", "/", "GET", "", true));
    EXPECT_EQ(secure.status, 200);
    co_return Unit{};
  });
}

TEST_F(GatewayTest, AKilledHaproxyComesBackWithEverythingEvenWithoutUs) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  for (int i = 0; i < 300; ++i) {
    put_ingress(fmt::format("i{}", i), fmt::format("h{}.localhost", i), {{"Prefix", "/", "web"}});
  }
  until_answers("h299.localhost", "/", 200);
  EXPECT_THAT(get("h0.localhost", "/"), StartsWith("200"));
  stop_gateway();
  haproxy_.end(SIGKILL);
  start_haproxy();
  until_answers("h0.localhost", "/", 200);
  EXPECT_THAT(get("h299.localhost", "/"), StartsWith("200"));
  EXPECT_THAT(get("none.localhost", "/"), StartsWith("404"));
  start_gateway();
  ASSERT_TRUE(client_.drop(kIngresses, {"default", "i7"}));
  until_answers("h7.localhost", "/", 404);
  EXPECT_THAT(get("h8.localhost", "/"), StartsWith("200"));
}

TEST_F(GatewayTest, PodsThatLeaveUnderLoadDropNoRequest) {
  constexpr const char* kWrk = "/usr/bin/wrk";
  if (::access(kWrk, X_OK) != 0) GTEST_SKIP() << "wrk is not installed";
  const auto start = [&] {
    return std::make_unique<RudeApp>(loop_.get_executor(), timer_, "127.0.9.1", 80);
  };
  size_t cut = 0;
  auto now = start();
  put_service("web", "127.0.9.1", 80);
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  until_answers("a.localhost", "/", 200);
  const std::string log = folder_ + "/wrk.log";
  Process wrk({kWrk, "-t1", "-c16", "-d5s", "--timeout", "5s", "-H", "Host: a.localhost",
               fmt::format("http://127.0.0.1:{}/", kHttp)},
              log);
  go([&]() -> Task<> {
    for (int i = 0; i < 12; ++i) {
      auto next = start();
      co_await timer_.sleep_for(100ms);
      now->drain();
      put_slice("web", fmt::format("10.42.0.{}", i + 1));
      co_await timer_.sleep_for(200ms);  // as kernel/network's drain() waits
      co_await now->stop();
      cut += now->cut();
      now = std::move(next);
    }
    while (!wrk.ended()) co_await timer_.sleep_for(20ms);
    co_await now->stop();
    co_return Unit{};
  });
  const auto text = io::read_file(log);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("Requests/sec"));
  EXPECT_EQ(text->find("Non-2xx"), std::string::npos) << *text;
  EXPECT_EQ(text->find("Socket errors"), std::string::npos) << *text;
  EXPECT_EQ(cut, 0u) << "a leaving pod was still asked something";
}

TEST_F(GatewayTest, WebSocketsPass) {
  apps_.push_back(std::make_unique<App>(App{.name = "echo"}));
  net::Handler echo = [](net::Request request, net::Responder& responder) -> Async<void> {
    auto socket = co_await net::WebSocket::accept(request, responder, "");
    if (!socket) co_return;
    auto message = co_await (*socket)->read();
    if (!message || !*message) co_return;
    (void)co_await (*socket)->write({.text = true, .data = "echo " + (*message)->data});
    (void)co_await (*socket)->close(1000, "");
  };
  apps_.back()->server = net::Server::make(loop_.get_executor(), timer_, echo, {});
  ASSERT_TRUE(apps_.back()->server->listen_tcp("127.0.1.1", 80));
  put_service("web", "127.0.1.1", 80);
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  eventually("the gateway does not know the host", [&]() -> Async<bool> {
    const auto fetched = co_await fetch("a.localhost", "/");
    co_return fetched && fetched->status != 404;
  });
  go([&]() -> Task<> {
    const auto client =
        net::HttpClient::make(loop_.get_executor(), timer_, {.host = "127.0.0.1", .port = kHttp});
    net::ClientRequest request{.target = "/ws", .headers = {{"host", "a.localhost"}}};
    CO_TRY(const auto socket,
           co_await net::WebSocket::connect(*client, std::move(request), {}, 10s));
    CO_TRY_OK(co_await socket->write({.text = true, .data = "hello"}));
    CO_TRY(const auto message, co_await socket->read());
    EXPECT_TRUE(message && message->data == "echo hello");
    co_return Unit{};
  });
}

TEST_F(GatewayTest, AServiceMaySpeakHttp2InClear) {
  app("h2", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  json::Value service = client_.peek(kServices, {"default", "web"})->parse();
  json::find(service, {"spec", "ports"})->as_array()[0].as_object()["appProtocol"] =
      "kubernetes.io/h2c";
  ASSERT_TRUE(client_.put(kServices, service));
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  until_answers("a.localhost", "/", 200);
  EXPECT_THAT(get("a.localhost", "/x"), StartsWith("200 h2 GET /x"));
}

}  // namespace
}  // namespace atl::gateway

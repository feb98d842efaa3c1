#include <fmt/format.h>

#include "base/net/test_peers.h"

namespace atl::net {
namespace {

class Http2 : public NetTest {
 protected:
  Http2()
      : port_(serve_paths({.tls = certificates_.server_identity()})),
        peer_(client(certificates_.endpoint(port_))) {}

  const uint16_t port_;
  const std::unique_ptr<HttpClient> peer_;
};

TEST_F(Http2, AnswersLikeHttp1) {
  go([&]() -> Task<> {
    const std::pair<ClientRequest, std::string> cases[] = {
        {{.target = "/hello"}, "200 hello"},
        {{.method = "POST", .target = "/echo", .body = "abc"}, "200 abc"},
        {{.target = "/lines?n=3"}, "200 line 0\nline 1\nline 2\n"},
        {{.method = "HEAD", .target = "/hello"}, "200 "},
        {{.target = "/empty"}, "204 "},
        {{.target = "/throw"}, "500 the request failed\n"},
        {{.target = "/silent"}, "500 the request was not answered\n"},
        {{.target = "/peer"}, "200 tls"},
        {{.target = "/nowhere"}, "404 no such path"},
    };
    for (const auto& [request, want] : cases) {
      CO_TRY(const std::string got, co_await fetch(*peer_, request));
      EXPECT_EQ(got, want) << request.target;
    }
    EXPECT_EQ(servers_.front()->connections(), 1u);
    co_return Unit{};
  });
}

TEST_F(Http2, TrailersArrive) {
  go([&]() -> Task<> {
    CO_TRY(const auto response, co_await peer_->send({.target = "/lines?n=2"}, 10s));
    CO_TRY(const std::string body, co_await response.body->read_all(1000));
    EXPECT_EQ(body, "line 0\nline 1\n");
    EXPECT_EQ(response.body->trailers().get("x-lines"), "2");
    co_return Unit{};
  });
}

TEST_F(Http2, LargeBodiesBothWays) {
  go([&]() -> Task<> {
    const std::string big(8 << 20, 'x');
    CO_TRY(const std::string echoed,
           co_await fetch(*peer_, {.method = "PUT", .target = "/echo", .body = big}));
    EXPECT_EQ(echoed.size(), big.size() + 4);
    EXPECT_TRUE(echoed == "200 " + big);
    co_return Unit{};
  });
}

TEST_F(Http2, AHundredStreamsOnOneConnection) {
  go([&]() -> Task<> {
    TaskGroup group(loop_.get_executor());
    int good = 0;
    for (int i = 0; i < 100; ++i) {
      group.spawn("request", [&, i]() -> Async<void> {
        const std::string body = "body " + std::to_string(i);
        const auto echoed =
            co_await fetch(*peer_, {.method = "POST", .target = "/echo", .body = body});
        good += echoed && *echoed == "200 " + body ? 1 : 0;
      });
    }
    const bool done = co_await eventually([&] { return good == 100; });
    EXPECT_TRUE(done) << good;
    EXPECT_EQ(servers_.front()->connections(), 1u);
    co_await group.stop();
    co_return Unit{};
  });
}

TEST_F(Http2, AnAbandonedAnswerCancelsItsHandlerAlone) {
  go([&]() -> Task<> {
    CO_TRY(auto first, co_await peer_->send({.target = "/watch"}, 10s));
    CO_TRY(auto second, co_await peer_->send({.target = "/watch"}, 10s));
    CO_TRY(const std::string piece, co_await first.body->read_some());
    EXPECT_EQ(piece, "first\n");
    EXPECT_EQ(started_ - ended_, 2);
    first.body.reset();
    const bool one_left = co_await eventually([&] { return started_ - ended_ == 1; });
    EXPECT_TRUE(one_left);
    CO_TRY(const std::string still, co_await second.body->read_some());
    EXPECT_EQ(still, "first\n");
    second.body.reset();
    const bool none_left = co_await eventually([&] { return started_ == ended_; });
    EXPECT_TRUE(none_left);
    co_return Unit{};
  });
}

TEST_F(Http2, ASlowReaderHoldsTheWriterBack) {
  go([&]() -> Task<> {
    CO_TRY(auto response, co_await peer_->send({.target = "/megabytes?n=64"}, 10s));
    CO_TRY(const std::string hello, co_await fetch(*peer_, {.target = "/hello"}));
    EXPECT_EQ(hello, "200 hello");  // other streams are not held up
    co_await system_timer_.sleep_for(50ms);
    EXPECT_LT(streamed_bytes_, size_t{4} << 20);
    CO_TRY(const std::string all, co_await response.body->read_all(100 << 20));
    EXPECT_EQ(all.size(), size_t{64} << 20);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net

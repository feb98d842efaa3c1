#include <fmt/format.h>

#include "base/net/test_peers.h"

namespace atl::net {
namespace {

class Http1 : public NetTest {};

TEST_F(Http1, AnswersOverOneConnection) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    for (int i = 0; i < 3; ++i) {
      CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(hello, "200 hello");
    }
    CO_TRY(const std::string echoed,
           co_await fetch(*peer, {.method = "POST", .target = "/echo", .body = "abc"}));
    EXPECT_EQ(echoed, "200 abc");
    CO_TRY(const std::string lines, co_await fetch(*peer, {.target = "/lines?n=3"}));
    EXPECT_EQ(lines, "200 line 0\nline 1\nline 2\n");
    CO_TRY(const std::string none, co_await fetch(*peer, {.method = "HEAD", .target = "/hello"}));
    EXPECT_EQ(none, "200 ");
    CO_TRY(const std::string empty, co_await fetch(*peer, {.target = "/empty"}));
    EXPECT_EQ(empty, "204 ");
    EXPECT_EQ(servers.front()->connections(), 1u);
    co_return Unit{};
  });
}

TEST_F(Http1, OverTls) {
  const uint16_t port = serve_paths({.tls = certificates.server_identity()});
  go([&]() -> Task<> {
    const auto peer = client(certificates.endpoint(port));
    CO_TRY(const std::string text, co_await fetch(*peer, {.target = "/peer"}));
    EXPECT_EQ(text, "200 tls");
    const std::string big(5 << 20, 'x');
    CO_TRY(const std::string echoed,
           co_await fetch(*peer, {.method = "PUT", .target = "/echo", .body = big}));
    EXPECT_EQ(echoed, "200 " + big);
    co_return Unit{};
  });
}

TEST_F(Http1, HandlersThatFailGiveFiveHundred) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    for (const char* path : {"/throw", "/silent", "/bad-header"}) {
      CO_TRY(const std::string text, co_await fetch(*peer, {.target = path}));
      EXPECT_TRUE(text.starts_with("500 the request ")) << path << ": " << text;
    }
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net

#include "base/net/client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net/test_peers.h"

namespace atl::net {
namespace {

class Client : public NetTest {};

TEST_F(Client, UnreachablePeersAndDeadlines) {
  const uint16_t port = serve_paths();
  const uint16_t tls = serve_paths({.tls = certificates_.server_identity()});
  const uint16_t closed = *serve({}).listen_tcp("127.0.0.1", 0);
  go([&]() -> Task<> {
    co_await servers_.back()->stop(0s);
    const auto nobody = client(plain(closed));
    const auto refused = co_await nobody->send({}, 10s);
    EXPECT_EQ(refused.error().code(), Code::kUnavailable);
    EXPECT_EQ(refused.error().message(),
              "connect to 127.0.0.1:" + std::to_string(closed) + ": Connection refused");
    const auto unnamed = client({.host = "no-such-host.invalid", .port = 1});
    const auto unresolved = co_await unnamed->send({}, 10s);
    EXPECT_EQ(unresolved.error().code(), Code::kUnavailable);
    const auto missing = client({.unix_path = "/nonexistent/socket"});
    const auto no_file = co_await missing->send({}, 10s);
    EXPECT_EQ(no_file.error().message(),
              "connect to /nonexistent/socket: No such file or directory");
    for (const Endpoint& endpoint : {plain(port), certificates_.endpoint(tls)}) {
      const auto peer = client(endpoint);
      const auto late = co_await peer->send({.target = "/never"}, 50ms);
      EXPECT_EQ(late.error().code(), Code::kTimeout);
      const bool cancelled = co_await eventually([&] { return started_ == ended_; });
      EXPECT_TRUE(cancelled);
      CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(hello, "200 hello");
    }
    co_return Unit{};
  });
}

TEST_F(Client, ADeadlineCoversTheTlsHandshakeToo) {
  // Accepts connections by the kernel's backlog and never says anything.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::listen(fd, 16), 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  go([&]() -> Task<> {
    for (Endpoint endpoint :
         {plain(ntohs(address.sin_port)), certificates_.endpoint(ntohs(address.sin_port))}) {
      const auto peer = client(endpoint);
      const auto late = co_await peer->send({}, 50ms);
      EXPECT_EQ(late.error().code(), Code::kTimeout) << late.error().message();
      const auto raw = co_await connect(*timer_, endpoint, 50ms);
      EXPECT_EQ(!raw && raw.error().code() == Code::kTimeout, endpoint.tls);
    }
    co_return Unit{};
  });
  ::close(fd);
}

TEST_F(Client, BadRequestsNeverLeave) {
  const uint16_t port = serve_paths();
  const ClientRequest cases[] = {
      {.method = "GE T"},
      {.method = "CONNECT"},
      {.target = "hello"},
      {.target = "/a b"},
      {.target = "/a\r\nx: y"},
      {.headers = {{"a b", "c"}}},
      {.headers = {{"a", "b\r\nc: d"}}},
  };
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    for (const ClientRequest& request : cases) {
      const auto refused = co_await peer->send(request, 10s);
      EXPECT_EQ(refused.error().code(), Code::kBadRequest) << request.target;
    }
    EXPECT_EQ(started_, 0);
    co_return Unit{};
  });
}

TEST_F(Client, AConnectionIsReusedOnlyWhenItsAnswerWasRead) {
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(auto unread, co_await peer->send({.target = "/megabytes?n=8"}, 10s));
    CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
    EXPECT_EQ(servers_.front()->connections(), 2u);
    unread.body.reset();
    const bool closed = co_await eventually([&] { return servers_.front()->connections() == 1; });
    EXPECT_TRUE(closed);
    CO_TRY(const std::string again, co_await fetch(*peer, {.target = "/hello"}));
    EXPECT_EQ(servers_.front()->connections(), 1u);
    co_return Unit{};
  });
}

TEST_F(Client, AServerThatRestartsIsFoundAgain) {
  for (const bool tls : {false, true}) {
    SCOPED_TRACE(tls);
    const ServerOptions options{.tls = tls ? std::optional(certificates_.server_identity())
                                           : std::nullopt};
    const uint16_t port = serve_paths(options);
    go([&]() -> Task<> {
      const auto peer = client(tls ? certificates_.endpoint(port) : plain(port));
      CO_TRY(const std::string before, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(before, "200 hello");
      co_await servers_.back()->stop(1s);
      Server& next =
          serve([this](Request r, Responder& a) { return test_handler(std::move(r), a); }, options);
      CO_TRY(const uint16_t again, next.listen_tcp("127.0.0.1", port));
      EXPECT_EQ(again, port);
      CO_TRY(const std::string after, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(after, "200 hello");
      co_return Unit{};
    });
  }
}

TEST_F(Client, ASenderThatIsCancelledLeavesNothingBehind) {
  const uint16_t clear = serve_paths();
  const uint16_t tls = serve_paths({.tls = certificates_.server_identity()});
  go([&]() -> Task<> {
    for (const Endpoint& endpoint : {plain(clear), certificates_.endpoint(tls)}) {
      const auto peer = client(endpoint);
      TaskGroup group(loop_.get_executor());
      for (int i = 0; i < 5; ++i) {
        group.spawn("send", [&]() -> Async<void> {
          const auto sent = co_await peer->send({.target = "/never"}, 1h);
          EXPECT_FALSE(sent);
        });
      }
      const bool running = co_await eventually([&] { return started_ - ended_ == 5; });
      EXPECT_TRUE(running);
      co_await group.stop();
      const bool over = co_await eventually([&] { return started_ == ended_; });
      EXPECT_TRUE(over);
      CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(hello, "200 hello");
    }
    co_return Unit{};
  });
}

TEST_F(Client, BodiesOutliveTheClient) {
  const uint16_t clear = serve_paths();
  const uint16_t tls = serve_paths({.tls = certificates_.server_identity()});
  go([&]() -> Task<> {
    for (const Endpoint& endpoint : {plain(clear), certificates_.endpoint(tls)}) {
      auto peer = client(endpoint);
      CO_TRY(const auto response, co_await peer->send({.target = "/megabytes?n=2"}, 10s));
      peer.reset();
      CO_TRY(const std::string all, co_await response.body->read_all(10 << 20));
      EXPECT_EQ(all.size(), size_t{2} << 20);
    }
    const bool closed = co_await eventually(
        [&] { return servers_[0]->connections() == 0 && servers_[1]->connections() == 0; });
    EXPECT_TRUE(closed);
    co_return Unit{};
  });
}

// A body that is made while it is read.
class Megabytes final : public BodyReader {
 public:
  explicit Megabytes(size_t count) : left_(count * 16) {}
  Task<std::string> read_some() override {
    if (left_ == 0) co_return std::string();
    --left_;
    co_return std::string(64 * 1024, 'm');
  }

 private:
  size_t left_;
};

TEST_F(Client, StreamedBodiesArriveOverEveryVersion) {
  const uint16_t clear = serve_paths();
  const uint16_t tls = serve_paths({.tls = certificates_.server_identity()});
  go([&]() -> Task<> {
    for (const Endpoint& endpoint : {plain(clear), certificates_.endpoint(tls)}) {
      SCOPED_TRACE(endpoint.tls ? "HTTP/2" : "HTTP/1.1");
      const auto peer = client(endpoint);
      ClientRequest request{.method = "POST", .target = "/echo"};
      request.body_stream = std::make_shared<Megabytes>(3);
      CO_TRY(const std::string echoed, co_await fetch(*peer, std::move(request)));
      EXPECT_TRUE(echoed == "200 " + std::string(3 << 20, 'm')) << echoed.size();
      ClientRequest empty{.method = "POST", .target = "/echo"};
      empty.body_stream = std::make_shared<Megabytes>(0);
      CO_TRY(const std::string nothing, co_await fetch(*peer, std::move(empty)));
      EXPECT_EQ(nothing, "200 ");
    }
    co_return Unit{};
  });
}

TEST_F(Client, MoreStreamsThanOneConnectionMayHave) {
  const uint16_t port = serve_paths(
      {.tls = certificates_.server_identity(), .limits = {.streams_per_connection = 10}});
  go([&]() -> Task<> {
    const auto peer = client(certificates_.endpoint(port));
    std::vector<ClientResponse> watches;
    for (int i = 0; i < 25; ++i) {
      CO_TRY(auto response, co_await peer->send({.target = "/watch"}, 10s));
      EXPECT_EQ(response.status, 200);
      watches.push_back(std::move(response));
    }
    EXPECT_EQ(servers_.front()->connections(), 3u);
    watches.clear();
    const bool over = co_await eventually([&] { return started_ == ended_; });
    EXPECT_TRUE(over);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net

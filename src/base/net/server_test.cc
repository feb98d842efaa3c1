#include "base/net/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "base/net/test_peers.h"

namespace atl::net {
namespace {

class Servers : public NetTest {
 protected:
  Servers() {
    char pattern[] = "/tmp/atoll-net-XXXXXX";
    folder_ = ::mkdtemp(pattern);
  }
  ~Servers() override { std::filesystem::remove_all(folder_); }

  Handler paths() {
    return [this](Request request, Responder& responder) {
      return test_handler(std::move(request), responder);
    };
  }
  // Time that stands still until the test moves it. For everything made after the call.
  SimTimer& simulate() {
    timer_ = &sim_;
    return sim_;
  }

  std::string folder_;
  SimTimer sim_;
};

TEST_F(Servers, UnixSocketsKnowTheirPeer) {
  Server& server = serve(paths());
  const std::string path = folder_ + "/api.sock";
  ASSERT_TRUE(server.listen_unix(path, 0660));
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  go([&]() -> Task<> {
    const auto peer = client({.unix_path = path});
    CO_TRY(const std::string text, co_await fetch(*peer, {.target = "/peer"}));
    EXPECT_EQ(text,
              "200 clear uid=" + std::to_string(::getuid()) + " pid=" + std::to_string(::getpid()));
    co_return Unit{};
  });
  EXPECT_FALSE(std::filesystem::exists(path));  // gone with the server's listener
}

TEST_F(Servers, SocketFilesInTheWay) {
  const std::string stale = folder_ + "/stale.sock";
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    stale.copy(address.sun_path, stale.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(fd);  // the file stays
  }
  const std::string file = folder_ + "/file";
  ::close(::open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  Server& server = serve(paths());
  EXPECT_TRUE(server.listen_unix(stale, 0600));
  EXPECT_EQ(server.listen_unix(stale, 0600).error().code(), Code::kExists);  // it is alive now
  EXPECT_EQ(server.listen_unix(file, 0600).error().code(), Code::kExists);
  EXPECT_EQ(server.listen_unix(folder_ + "/none/x", 0600).error().code(), Code::kNotFound);
  EXPECT_EQ(server.listen_unix(folder_ + std::string(200, 'x'), 0600).error().code(),
            Code::kBadRequest);
  go([]() -> Task<> { co_return Unit{}; });
}

TEST_F(Servers, TcpAddresses) {
  Server& server = serve(paths());
  const auto first = server.listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(server.listen_tcp("127.0.0.1", *first).error().code(), Code::kExists);
  EXPECT_EQ(server.listen_tcp("localhost", 0).error().code(), Code::kBadRequest);
  EXPECT_EQ(server.listen_tcp("192.0.2.1", 0).error().message(),
            "listen on 192.0.2.1:0: no interface has this address");
  EXPECT_TRUE(server.listen_tcp("169.254.213.7", 0)) << "link-local addresses may come later";
  go([]() -> Task<> { co_return Unit{}; });
}

TEST_F(Servers, SocketsFromOthersAreTakenOver) {
  Server& server = serve(paths());
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(server.listen_fd(::dup(fd)).error().code(), Code::kBadRequest);
  ASSERT_EQ(::listen(fd, 16), 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_TRUE(server.listen_fd(fd));
  go([&]() -> Task<> {
    const auto peer = client(plain(ntohs(address.sin_port)));
    CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
    EXPECT_EQ(hello, "200 hello");
    co_return Unit{};
  });
}

TEST_F(Servers, SlowAndSilentPeersAreSentAway) {
  SimTimer& time = simulate();
  const uint16_t port = serve_paths();
  struct Case {
    const char* name;
    std::string bytes;
    Duration wait;
    std::string begins;
  };
  const Case cases[] = {
      {"nothing at all", "", 11s, ""},
      {"half a request line", "GET /hel", 11s, "HTTP/1.1 408"},
      {"half a header", "GET /hello HTTP/1.1\r\nhost: x\r\nx: ", 11s, "HTTP/1.1 408"},
      {"half an HTTP/2 preface", "PRI * HTTP/2.0\r\n", 11s, ""},
      {"half a body", "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc", 301s,
       "HTTP/1.1 400"},
      {"no second request", "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n", 301s, "HTTP/1.1 200"},
  };
  go([&]() -> Task<> {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      CO_TRY(const auto stream, co_await connect(system_timer_, plain(port), 10s));
      CO_TRY_OK(co_await stream->write(c.bytes));
      co_await system_timer_.sleep_for(20ms);
      const size_t before = servers_.front()->connections();
      EXPECT_EQ(before, 1u);
      time.advance(c.wait);
      std::string answer;
      const auto all = co_await read_to_end(*stream);
      if (all) answer = *all;
      EXPECT_TRUE(answer.starts_with(c.begins)) << answer;
      stream->close();
      time.advance(3s);
      const bool closed = co_await eventually([&] { return servers_.front()->connections() == 0; });
      EXPECT_TRUE(closed);
    }
    co_return Unit{};
  });
}

TEST_F(Servers, AWatchIsNoIdleConnection) {
  SimTimer& time = simulate();
  const uint16_t port = serve_paths();
  go([&]() -> Task<> {
    const auto peer = client(plain(port));
    CO_TRY(auto response, co_await peer->send({.target = "/watch"}, 10s));
    time.advance(30min);
    co_await system_timer_.sleep_for(10ms);
    EXPECT_EQ(started_ - ended_, 1);
    response.body.reset();
    const bool over = co_await eventually([&] { return started_ == ended_; });
    EXPECT_TRUE(over);
    co_return Unit{};
  });
}

TEST_F(Servers, StopLetsRunningRequestsEndAndCancelsTheRest) {
  Event release;
  Server& server = serve([&](Request request, Responder& responder) -> Async<void> {
    ++started_;
    const std::shared_ptr<void> leave(nullptr, [this](void*) { ++ended_; });
    if (request.path == "/slow") co_await release.wait();
    if (request.path == "/never") co_await system_timer_.sleep_for(1h);
    const Result<> sent = co_await responder.send({200, {}, {share("done")}});
    EXPECT_TRUE(sent);
  });
  const uint16_t port = *server.listen_tcp("127.0.0.1", 0);
  go([&]() -> Task<> {
    TaskGroup group(loop_.get_executor());
    std::string slow;
    std::string never;
    const auto first = client(plain(port));
    const auto second = client(plain(port));
    const auto idle = client(plain(port));
    CO_TRY(const std::string quick, co_await fetch(*idle, {.target = "/"}));
    group.spawn("slow", [&]() -> Async<void> {
      const auto text = co_await fetch(*first, {.target = "/slow"});
      slow = text ? *text : text.error().message();
    });
    group.spawn("never", [&]() -> Async<void> {
      const auto text = co_await fetch(*second, {.target = "/never"});
      never = text ? *text : text.error().message();
    });
    const bool both = co_await eventually([&] { return started_ - ended_ == 2; });
    EXPECT_TRUE(both);
    bool stopped = false;
    group.spawn("stop", [&]() -> Async<void> {
      co_await server.stop(200ms);
      stopped = true;
    });
    const bool draining = co_await eventually([&] { return server.connections() == 2; });
    EXPECT_TRUE(draining);
    release.notify();
    const bool over = co_await eventually([&] { return stopped; });
    EXPECT_TRUE(over);
    const bool answered = co_await eventually([&] { return !slow.empty() && !never.empty(); });
    EXPECT_TRUE(answered);
    EXPECT_EQ(slow, "200 done");
    EXPECT_EQ(never, "the server closed the connection without an answer");
    EXPECT_EQ(started_, ended_);
    const auto late = co_await fetch(*idle, {.target = "/"});
    EXPECT_FALSE(late);
    co_await group.stop();
    co_return Unit{};
  });
}

TEST_F(Servers, StopSendsGoawayAndFinishesStreams) {
  Event release;
  Server& server = serve(
      [&](Request request, Responder& responder) -> Async<void> {
        ++started_;
        if (request.path == "/slow") co_await release.wait();
        const Result<> sent = co_await responder.send({200, {}, {share("done")}});
        EXPECT_TRUE(sent);
        ++ended_;
      },
      {.tls = certificates_.server_identity()});
  const uint16_t port = *server.listen_tcp("127.0.0.1", 0);
  go([&]() -> Task<> {
    TaskGroup group(loop_.get_executor());
    const auto peer = client(certificates_.endpoint(port));
    std::string slow;
    group.spawn("slow", [&]() -> Async<void> {
      const auto text = co_await fetch(*peer, {.target = "/slow"});
      slow = text ? *text : text.error().message();
    });
    const bool running = co_await eventually([&] { return started_ == 1; });
    EXPECT_TRUE(running);
    bool stopped = false;
    group.spawn("stop", [&]() -> Async<void> {
      co_await server.stop(10s);
      stopped = true;
    });
    co_await system_timer_.sleep_for(20ms);
    EXPECT_FALSE(stopped);
    release.notify();
    const bool over = co_await eventually([&] { return stopped; });
    EXPECT_TRUE(over);
    const bool answered = co_await eventually([&] { return !slow.empty(); });
    EXPECT_TRUE(answered);
    EXPECT_EQ(slow, "200 done");
    co_await group.stop();
    co_return Unit{};
  });
}

TEST_F(Servers, IdleConnectionsMakeRoomForNewOnes) {
  const uint16_t port = serve_paths({.limits = {.connections = 2}});
  go([&]() -> Task<> {
    const auto first = client(plain(port));
    const auto second = client(plain(port));
    const auto third = client(plain(port));
    for (const auto& peer : {first.get(), second.get(), third.get()}) {
      CO_TRY(const std::string hello, co_await fetch(*peer, {.target = "/hello"}));
      EXPECT_EQ(hello, "200 hello");
    }
    const bool within = co_await eventually([&] { return servers_.front()->connections() == 2; });
    EXPECT_TRUE(within);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::net

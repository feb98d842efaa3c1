#include "kernel/node/server/port_channels.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/net/client.h"
#include "base/net/server.h"

namespace atl::node {
namespace {

TEST(ChannelPorts, AreReadFromTheQuery) {
  struct Case {
    const char* what;
    const char* query;
    std::vector<uint16_t> ports;  // none: refused
  };
  std::string many = "port=1";
  for (size_t i = 0; i < kChannelPortsMax; ++i) many += ",1";
  const Case cases[] = {
      {"one", "port=80", {80}},
      {"several", "port=80&port=443", {80, 443}},
      {"several in one", "port=80,443&port=65535", {80, 443, 65535}},
      {"none", "", {}},
      {"an empty one", "port=", {}},
      {"zero", "port=0", {}},
      {"too large", "port=65536", {}},
      {"below zero", "port=-1", {}},
      {"a name", "port=http", {}},
      {"rubbish after it", "port=80x", {}},
      {"nothing between the commas", "port=80,,81", {}},
      {"too many", many.c_str(), {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const auto got = channel_ports(*net::Query::parse(c.query));
    EXPECT_EQ(got ? *got : std::vector<uint16_t>(), c.ports);
    if (!got) EXPECT_EQ(got.error().code(), Code::kBadRequest);
  }
}

// A server that forwards to one end of a socket pair; the other end is the pod's.
class PortChannels : public testing::Test {
 protected:
  // Port 7 answers, no other does.
  Task<io::UniqueFd> dial(uint16_t port) {
    if (port != 7) co_return Error(Code::kUnavailable, "nobody listens there");
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      co_return Error(Code::kInternal, "socketpair");
    pod_.reset(ends[0]);
    co_return io::UniqueFd(ends[1]);
  }

  void forward(std::string query, std::function<Task<>(net::WebSocket&)> body) {
    const net::Handler handler = [this](net::Request request,
                                        net::Responder& responder) -> Async<void> {
      const DialPort to_pod = [this](uint16_t port) { return dial(port); };
      (void)co_await serve_port_forward(loop_.get_executor(), std::move(request), responder,
                                        to_pod);
    };
    const auto done = run(loop_, [&]() -> Task<> {
      const auto server = net::Server::make(loop_.get_executor(), timer_, handler, {});
      CO_TRY(const uint16_t port, server->listen_tcp("127.0.0.1", 0));
      const auto client =
          net::HttpClient::make(loop_.get_executor(), timer_, {.host = "127.0.0.1", .port = port});
      CO_TRY(const auto socket,
             co_await net::WebSocket::connect(*client, {.target = "/?" + query},
                                              {"v5.channel.k8s.io", kChannelSubprotocol},
                                              std::chrono::seconds(10)));
      EXPECT_EQ(socket->subprotocol(), kChannelSubprotocol);
      CO_TRY_OK(co_await body(*socket));
      co_await server->stop(Duration(0));
      co_return Unit{};
    });
    EXPECT_TRUE(done) << done.error().message();
  }

  // The next message; "end" where there is none.
  static Task<std::string> next(net::WebSocket& socket) {
    CO_TRY(auto message, co_await socket.read());
    co_return message ? message->data : "end";
  }

  asio::io_context loop_;
  SystemTimer timer_;
  io::UniqueFd pod_;
};

std::string message(uint8_t channel, std::string_view data) {
  return char(channel) + std::string(data);
}

TEST_F(PortChannels, BytesGoBothWaysUntilThePodEnds) {
  forward("port=7", [&](net::WebSocket& socket) -> Task<> {
    for (const uint8_t channel : {0, 1}) {
      CO_TRY(const std::string number, co_await next(socket));
      EXPECT_EQ(number, message(channel, std::string_view("\x07\0", 2)));
    }
    CO_TRY_OK(co_await socket.write({false, message(0, "question")}));
    CO_TRY_OK(co_await socket.write({false, message(1, "errors go to the client alone")}));
    CO_TRY_OK(co_await socket.write({false, message(8, "no such channel")}));
    std::string seen(100, '\0');
    ssize_t count = -1;
    for (int i = 0; i < 1000 && count < 0; ++i) {
      count = ::read(pod_.get(), seen.data(), seen.size());
      (void)co_await timer_.sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(seen.substr(0, size_t(std::max<ssize_t>(count, 0))), "question");
    EXPECT_EQ(::write(pod_.get(), "answer", 6), 6);
    CO_TRY(const std::string answer, co_await next(socket));
    EXPECT_EQ(answer, message(0, "answer"));
    pod_.reset();
    CO_TRY(const std::string end, co_await next(socket));
    EXPECT_EQ(end, "end");
    co_return Unit{};
  });
}

TEST_F(PortChannels, APortThatDoesNotAnswerIsToldOnItsOwnChannel) {
  forward("port=7,513", [&](net::WebSocket& socket) -> Task<> {
    const std::string wanted[] = {
        message(0, std::string_view("\x07\0", 2)), message(1, std::string_view("\x07\0", 2)),
        message(2, "\x01\x02"), message(3, "\x01\x02"),
        message(3, "an error occurred forwarding to port 513: nobody listens there")};
    for (const std::string& text : wanted) {
      CO_TRY(const std::string got, co_await next(socket));
      EXPECT_EQ(got, text);
    }
    pod_.reset();
    CO_TRY(const std::string end, co_await next(socket));
    EXPECT_EQ(end, "end") << "all are over";
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::node

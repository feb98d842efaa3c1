// Watches over a WebSocket, through a real connection.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/net/client.h"
#include "base/net/server.h"
#include "base/net/websocket.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

constexpr Duration kLimit = std::chrono::seconds(30);
using SocketPtr = std::unique_ptr<net::WebSocket>;

class WatchSocket : public testing::Test {
 protected:
  WatchSocket()
      : folder_(std::filesystem::temp_directory_path() /
                ("atoll-watch-socket-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~WatchSocket() override { std::filesystem::remove_all(folder_); }

  void run(std::function<Task<>()> body) {
    harness_.run([&]() -> Task<> {
      const auto executor = harness_.loop.get_executor();
      const std::string path = (folder_ / "api.sock").string();
      const auto server =
          net::Server::make(executor, harness_.timer, harness_.server->handler(), {});
      CO_TRY_OK(server->listen_unix(path, 0600));
      client_ = net::HttpClient::make(executor, harness_.timer, {.unix_path = path});
      co_await add("first");
      auto done = co_await body();
      client_.reset();
      co_await server->stop(Duration(0));
      co_return std::move(done);
    });
  }
  Async<void> add(std::string name) {
    const auto made = co_await harness_.call("POST", "/api/v1/namespaces/d/configmaps",
                                             R"({"metadata":{"name":")" + name + R"("}})");
    EXPECT_EQ(made->status, 201) << made->body;
  }
  Task<SocketPtr> open(std::string target, std::vector<std::string> protocols = {}) {
    co_return co_await net::WebSocket::connect(*client_, {.target = std::move(target)},
                                               std::move(protocols), kLimit);
  }
  // The next event as "ADDED a"; "end" where the server closed.
  Async<std::string> event(net::WebSocket& socket) {
    const auto message = co_await socket.read();
    if (!message) co_return message.error().message();
    if (!*message) co_return "end";
    EXPECT_TRUE((*message)->text);
    const auto document = json::parse((*message)->data);
    if (!document) co_return (*message)->data;
    co_return std::string(json::string_at(*document, {"type"})) + " " +
        std::string(json::string_at(*document, {"object", "metadata", "name"}));
  }

  std::filesystem::path folder_;
  Harness harness_;
  std::unique_ptr<net::HttpClient> client_;
};

TEST_F(WatchSocket, EachEventIsATextMessage) {
  run([&]() -> Task<> {
    CO_TRY(const SocketPtr socket, co_await open("/api/v1/namespaces/d/configmaps?watch=1"));
    const std::string first = co_await event(*socket);
    EXPECT_EQ(first, "ADDED first");
    co_await add("second");
    const std::string second = co_await event(*socket);
    EXPECT_EQ(second, "ADDED second");
    CO_TRY_OK(co_await socket->close(1000, ""));
    const std::string end = co_await event(*socket);
    EXPECT_EQ(end, "end");
    (void)co_await harness_.timer.sleep_for(std::chrono::seconds(1));
    EXPECT_EQ(harness_.cache->watchers(), 0u) << "a client that leaves ends its watch";
    co_return Unit{};
  });
}

TEST_F(WatchSocket, EndsWithItsTime) {
  run([&]() -> Task<> {
    CO_TRY(const SocketPtr socket,
           co_await open("/api/v1/configmaps?watch=1&timeoutSeconds=5", {"any.protocol"}));
    EXPECT_EQ(socket->subprotocol(), "any.protocol");
    const std::string first = co_await event(*socket);
    EXPECT_EQ(first, "ADDED first");
    const std::string end = co_await event(*socket);
    EXPECT_EQ(end, "end");
    co_return Unit{};
  });
}

TEST_F(WatchSocket, WhatIsWrongBeforeItBeginsIsAPlainAnswer) {
  run([&]() -> Task<> {
    const auto refused = co_await open("/api/v1/configmaps?watch=1&resourceVersion=x");
    EXPECT_FALSE(refused.has_value());
    const auto unknown = co_await open("/api/v1/nothings?watch=1");
    EXPECT_EQ(unknown.error().code(), Code::kNotFound);
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

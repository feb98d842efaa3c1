// exec over real connections: client, API server and node agent.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/net/client.h"
#include "base/net/server.h"
#include "base/net/websocket.h"
#include "kernel/apiserver/agent/pod_streams.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

constexpr Duration kLimit = std::chrono::seconds(30);
constexpr const char* kExec = "/api/v1/namespaces/d/pods/p/exec?command=sh&stdin=true&stdout=true";

// Lets everybody do everything but `without`.
class Rights final : public Authorizer {
 public:
  Task<Decision> authorize(Attributes attributes) override {
    co_return Decision{.allowed = attributes.verb != without};
  }
  std::string without;
};

// Says back what it hears.
net::Handler echo_agent() {
  return [](net::Request request, net::Responder& responder) -> Async<void> {
    auto socket = co_await net::WebSocket::accept(request, responder, "v5.channel.k8s.io");
    while (socket) {
      auto message = co_await (*socket)->read();
      if (!message || !*message) co_return;
      const auto sent = co_await (*socket)->write(**std::move(message));
      if (!sent) co_return;
    }
  };
}

class ExecRevoked : public testing::Test {
 protected:
  ExecRevoked()
      : folder_(std::filesystem::temp_directory_path() /
                ("atoll-exec-revoked-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ExecRevoked() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void run(std::function<Task<>(net::HttpClient& client)> body) {
    harness_.run([&]() -> Task<> {
      const auto executor = harness_.loop.get_executor();
      const auto agent = net::Server::make(executor, harness_.timer, echo_agent(), {});
      CO_TRY_OK(agent->listen_unix(path("agent.sock"), 0600));
      const auto api = net::Server::make(executor, harness_.timer, harness_.server->handler(), {});
      CO_TRY_OK(api->listen_unix(path("api.sock"), 0600));
      const auto made = co_await harness_.call(
          "POST", "/api/v1/namespaces/d/pods",
          R"({"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"a","image":"i"}]}})");
      EXPECT_EQ(made->status, 201) << made->body;
      auto client =
          net::HttpClient::make(executor, harness_.timer, {.unix_path = path("api.sock")});
      auto done = co_await body(*client);
      client.reset();
      co_await api->stop(Duration(0));
      co_await agent->stop(Duration(0));
      co_return std::move(done);
    });
  }

  std::filesystem::path folder_;
  Rights rights_;
  Harness harness_{{.authorizer = &rights_, .before_start = [this](Harness& harness) {
                      add_pod_streams(harness.hooks, {harness.loop.get_executor(), harness.timer,
                                                      path("agent.sock")});
                    }}};
};

class ExecRevokedOf : public ExecRevoked, public testing::WithParamInterface<const char*> {};

// The upgrade is a GET, and asks for the verb create too: either may be lost.
TEST_P(ExecRevokedOf, EndsSoonAfter) {
  run([&](net::HttpClient& client) -> Task<> {
    CO_TRY(const auto socket, co_await net::WebSocket::connect(client, {.target = kExec},
                                                               {"v5.channel.k8s.io"}, kLimit));
    CO_TRY_OK(co_await socket->write({.data = "hello"}));
    CO_TRY(const auto heard, co_await socket->read());
    EXPECT_EQ(heard ? heard->data : "", "hello");
    const MonoTime lost_at = harness_.timer.monotonic();
    rights_.without = GetParam();
    const auto end = co_await socket->read();
    EXPECT_FALSE(end.has_value()) << "broken off";
    EXPECT_LE(harness_.timer.monotonic() - lost_at, std::chrono::seconds(10));
    const auto again =
        co_await net::WebSocket::connect(client, {.target = kExec}, {"v5.channel.k8s.io"}, kLimit);
    EXPECT_FALSE(again.has_value());
    if (!again) EXPECT_EQ(again.error().code(), Code::kForbidden);
    co_return Unit{};
  });
}

INSTANTIATE_TEST_SUITE_P(Verbs, ExecRevokedOf, testing::Values("get", "create"));

}  // namespace
}  // namespace atl::apiserver

#include "kernel/apiserver/agent/pod_streams.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/net/server.h"
#include "kernel/apiserver/testing/harness.h"

namespace atl::apiserver {
namespace {

json::Value pod(std::string_view spec) {
  json::Value out = json::Object{{"metadata", json::Object{{"name", "p"}}}};
  json::set(out, {"spec"}, *json::parse(spec));
  return out;
}

TEST(PodStreams, ChoosesTheContainer) {
  struct Case {
    const char* what;
    const char* spec;
    const char* wanted;
    const char* want;  // the container, or the error
  };
  const Case cases[] = {
      {"the only one", R"({"containers":[{"name":"a"}]})", "", "a"},
      {"the one that is named", R"({"containers":[{"name":"a"},{"name":"b"}]})", "b", "b"},
      {"an init container by name",
       R"({"containers":[{"name":"a"}],"initContainers":[{"name":"i"}]})", "i", "i"},
      {"one of several has to be named",
       R"({"containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"i"}]})", "",
       "a container name must be specified for pod p, choose one of: [a b] or one of the init "
       "containers: [i]"},
      {"one that is not there", R"({"containers":[{"name":"a"}]})", "x",
       "container x is not valid for pod p"},
      {"a pod without any", R"({})", "", "a container name must be specified for pod p"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const auto got = choose_container(pod(c.spec), c.wanted);
    EXPECT_EQ(got ? *got : got.error().message(), c.want);
  }
}

// A server whose node agent is a handler in this test, on a socket of its own.
class PodStreamsTest : public testing::Test {
 protected:
  PodStreamsTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("atoll-pod-streams-" + std::to_string(getpid()))),
        harness_({.authorizer = &rights_, .before_start = [this](Harness& h) {
                    add_pod_streams(h.hooks, {h.loop.get_executor(), h.timer, socket()});
                  }}) {
    std::filesystem::create_directories(folder_);
  }
  ~PodStreamsTest() override { std::filesystem::remove_all(folder_); }
  std::string socket() const { return (folder_ / "agent.sock").string(); }

  void run(net::Handler agent, std::function<Task<>()> body) {
    harness_.run([&]() -> Task<> {
      const auto server =
          net::Server::make(harness_.loop.get_executor(), harness_.timer, std::move(agent), {});
      CO_TRY_OK(server->listen_unix(socket(), 0600));
      const auto created = co_await harness_.call(
          "POST", "/api/v1/namespaces/d/pods",
          R"({"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"a","image":"i"}]}})");
      EXPECT_EQ(created->status, 201) << created->body;
      auto done = co_await body();
      co_await server->stop(Duration(0));
      co_return std::move(done);
    });
  }

  // Lets everybody do everything until it is told otherwise.
  class Rights final : public Authorizer {
   public:
    Task<Decision> authorize(Attributes attributes) override {
      co_return Decision{.allowed = attributes.verb != without};
    }
    std::string without;
  };

  std::filesystem::path folder_;
  Rights rights_;
  Harness harness_;
};

TEST_F(PodStreamsTest, LogsComeFromTheAgent) {
  const net::Handler agent = [](net::Request request, net::Responder& responder) -> Async<void> {
    net::Response response{.status = 200};
    response.body.push_back(share(request.path + "?" + request.query + "\n"));
    const auto sent = co_await responder.send(std::move(response));
    (void)sent;
  };
  run(agent, [&]() -> Task<> {
    const auto log = co_await harness_.call(
        "GET", "/api/v1/namespaces/d/pods/p/log?tailLines=5&timestamps=true");
    EXPECT_EQ(log->status, 200);
    EXPECT_EQ(log->body, "/containerLogs/d/p/a?tailLines=5&timestamps=true\n");
    EXPECT_EQ(log->headers.get("content-type"), "text/plain");
    const auto wrong =
        co_await harness_.call("GET", "/api/v1/namespaces/d/pods/p/log?tailLines=-1");
    EXPECT_EQ(wrong->status, 422);
    const auto other = co_await harness_.call("GET", "/api/v1/namespaces/d/pods/p/log?container=x");
    EXPECT_EQ(other->status, 400);
    const auto none = co_await harness_.call("GET", "/api/v1/namespaces/d/pods/none/log");
    EXPECT_EQ(none->status, 404);
    co_return Unit{};
  });
}

TEST_F(PodStreamsTest, ALogEndsSoonAfterItsRightIsGone) {
  const net::Handler agent = [this](net::Request, net::Responder& responder) -> Async<void> {
    auto stream = co_await responder.stream(200, {});
    for (; stream;) {
      const auto sent = co_await (*stream)->write(share("line\n"));
      const bool slept = co_await harness_.timer.sleep_for(std::chrono::seconds(1));
      if (!sent || !slept) co_return;
    }
  };
  run(agent, [&]() -> Task<> {
    const auto log = harness_.open("/api/v1/namespaces/d/pods/p/log?follow=true");
    (void)co_await harness_.timer.sleep_for(std::chrono::seconds(20));
    EXPECT_EQ(log->status, 200);
    EXPECT_FALSE(log->closed) << "it may go on";
    rights_.without = "get";
    (void)co_await harness_.timer.sleep_for(std::chrono::seconds(10));
    EXPECT_TRUE(log->closed);
    EXPECT_FALSE(log->finished) << "cut, not ended in order";
    co_return Unit{};
  });
}

TEST_F(PodStreamsTest, AStreamThatHasNotBegunIsRefused) {
  const net::Handler agent = [this](net::Request, net::Responder&) -> Async<void> {
    (void)co_await harness_.timer.sleep_for(std::chrono::minutes(1));
  };
  run(agent, [&]() -> Task<> {
    const auto log = harness_.open("/api/v1/namespaces/d/pods/p/log");
    (void)co_await harness_.timer.sleep_for(std::chrono::seconds(1));
    rights_.without = "get";
    (void)co_await harness_.timer.sleep_for(std::chrono::seconds(10));
    EXPECT_EQ(log->status, 403) << log->body;
    co_return Unit{};
  });
}

TEST_F(PodStreamsTest, TheAgentsRefusalIsTheAnswer) {
  const net::Handler agent = [](net::Request, net::Responder& responder) -> Async<void> {
    net::Response response{.status = 400};
    response.body.push_back(
        share(R"({"kind":"Status","reason":"BadRequest","code":400,"message":"not started yet"})"));
    const auto sent = co_await responder.send(std::move(response));
    (void)sent;
  };
  run(agent, [&]() -> Task<> {
    const auto log = co_await harness_.call("GET", "/api/v1/namespaces/d/pods/p/log");
    EXPECT_EQ(log->status, 400);
    EXPECT_NE(log->body.find("not started yet"), std::string::npos) << log->body;
    const auto plain = co_await harness_.call("GET", "/api/v1/namespaces/d/pods/p/exec?command=ls");
    EXPECT_EQ(plain->status, 400) << "exec is a WebSocket";
    EXPECT_NE(plain->body.find("not started yet"), std::string::npos)
        << "kubectl shows what its second try, without WebSocket, is told: " << plain->body;
    const auto forward = co_await harness_.call("GET", "/api/v1/namespaces/d/pods/p/portforward");
    EXPECT_EQ(forward->status, 400) << "of the agent too";
    co_return Unit{};
  });
}

}  // namespace
}  // namespace atl::apiserver

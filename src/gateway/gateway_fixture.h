#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <boost/asio/io_context.hpp>

#include "api/client/fake_client.h"
#include "base/async/run.h"
#include "base/crypto/x509.h"
#include "base/io/files.h"
#include "base/net/client.h"
#include "base/net/server.h"
#include "gateway/gateway.h"
#include "gateway/test_documents_impl.h"
#include "gateway/test_process_impl.h"

// A gateway over a real HAProxy, in a network of its own, with applications that say who they are.
namespace atl::gateway {

using namespace std::chrono_literals;

inline constexpr const char* kHaproxy = "/usr/sbin/haproxy";
inline constexpr uint16_t kHttp = 8080, kHttps = 8443;
inline const api::Gvr kIngresses{"networking.k8s.io", "v1", "ingresses"};
inline const api::Gvr kServices{"", "v1", "services"};
inline const api::Gvr kSecrets{"", "v1", "secrets"};
inline const api::Gvr kEvents{"", "v1", "events"};

struct Fetched {
  int status = 0;
  std::string body;
  net::Headers headers;
};

// An application: says its name and what it was asked.
struct App {
  std::string name;
  std::unique_ptr<net::Server> server;
  size_t requests = 0;
};

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() : moved_(in_private_network()) {}
  void SetUp() override {
    if (!moved_) GTEST_SKIP() << "needs root: no right to make a network namespace";
    if (::access(kHaproxy, X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
    folder_ = (std::filesystem::temp_directory_path() / "atoll-gateway-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    options_.folder = folder_;
    options_.http_port = kHttp;
    options_.https_port = kHttps;
    options_.max_connections = 1000;
    options_.max_body_bytes = 1 << 20;
    options_.supervise_socket = folder_ + "/no-supervise.sock";
    start_gateway();
    start_haproxy();
  }
  void TearDown() override {
    if (gateway_) stop_gateway();
    go([&]() -> Task<> {
      for (auto& app : apps_) co_await app->server->stop(100ms);
      co_return Unit{};
    });
    haproxy_.end(SIGTERM);
    if (HasFailure() && !folder_.empty()) {
      const auto log = io::read_file(folder_ + "/haproxy.log");
      if (log) std::fputs(log->c_str(), stderr);
    }
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  void go(std::function<Task<>()> body) {
    loop_.restart();
    const auto done = run(loop_, std::move(body));
    if (!done) FAIL() << done.error().message();
  }
  void eventually(const char* what, std::function<Async<bool>()> condition) {
    go([&]() -> Task<> {
      const MonoTime until = timer_.monotonic() + 20s;
      for (;;) {
        const bool holds = co_await condition();
        if (holds) co_return Unit{};
        if (timer_.monotonic() > until) co_return Error(Code::kTimeout, what);
        co_await timer_.sleep_for(10ms);
      }
    });
  }
  void start_gateway() {
    crypto::ServerRequest request{.common_name = "localhost", .dns_names = {"*.localhost"}};
    const auto issued = crypto::self_signed(request, timer_, rng_);
    ASSERT_TRUE(issued);
    const api::Seams seams{loop_.get_executor(), &timer_, &rng_};
    informers_ = std::make_unique<api::InformerSet>(client_, seams);
    gateway_ = std::make_unique<Gateway>(client_, *informers_, seams, pool_, options_);
    informers_->start();
    go([&]() -> Task<> {
      co_return co_await gateway_->start(issued->certificate_pem + issued->key_pem.reveal());
    });
  }
  void stop_gateway() {
    go([&]() -> Task<> {
      co_await gateway_->stop();
      co_await informers_->stop();
      co_return Unit{};
    });
    gateway_.reset();
    informers_.reset();
  }
  void start_haproxy() {
    haproxy_ =
        Process({kHaproxy, "-W", "-db", "-f", options_.config_file()}, folder_ + "/haproxy.log");
  }
  App& app(const std::string& name, const std::string& address, uint16_t port) {
    apps_.push_back(std::make_unique<App>(App{.name = name}));
    App& app = *apps_.back();
    net::Handler handler = [&app](net::Request request, net::Responder& responder) -> Async<void> {
      ++app.requests;
      std::string seen = app.name + " " + request.method + " " + request.path;
      for (const char* header : {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}) {
        seen += fmt::format(" {}", request.headers.get(header));
      }
      const auto body = co_await request.body->read_all(1 << 20);
      if (body && !body->empty()) seen += " " + *body;
      net::Response response;
      response.body.push_back(std::make_shared<const std::string>(seen));
      (void)co_await responder.send(std::move(response));
    };
    app.server = net::Server::make(loop_.get_executor(), timer_, handler, {});
    EXPECT_TRUE(app.server->listen_tcp(address, port));
    return app;
  }
  void put_service(const std::string& name, const std::string& ip, uint16_t port) {
    ASSERT_TRUE(client_.put(kServices, service_document(name, ip, port)));
  }
  void put_slice(const std::string& service, const std::string& address) {
    ASSERT_TRUE(client_.put({"discovery.k8s.io", "v1", "endpointslices"},
                            slice_document(service, address)));
  }
  void put_ingress(const std::string& name, const std::string& host, IngressPaths paths,
                   const std::string& more = "", const std::string& annotations = "") {
    ASSERT_TRUE(client_.put(kIngresses, ingress_document(name, host, paths, more, annotations)));
  }
  Task<Fetched> fetch(std::string host, std::string path, std::string method = "GET",
                      std::string body = "", bool tls = false, net::Headers headers = {}) {
    net::Endpoint endpoint{.host = "127.0.0.1",
                           .port = tls ? kHttps : kHttp,
                           .tls = tls,
                           .server_name = tls ? host : "",
                           .insecure_skip_verify = true};
    const auto client = net::HttpClient::make(loop_.get_executor(), timer_, endpoint);
    headers.set("host", host);
    net::ClientRequest request{.method = method, .target = path, .headers = headers, .body = body};
    CO_TRY(net::ClientResponse response, co_await client->send(std::move(request), 10s));
    Fetched out{.status = response.status, .headers = response.headers};
    CO_TRY(out.body, co_await response.body->read_all(1 << 20));
    co_return out;
  }
  // "200 web GET / ..." or the error.
  std::string get(const std::string& host, const std::string& path,
                  const std::string& method = "GET") {
    std::string out;
    loop_.restart();
    const auto done = run(loop_, [&]() -> Task<> {
      CO_TRY(const Fetched fetched, co_await fetch(host, path, method));
      out = fmt::format("{} {}", fetched.status, fetched.body);
      co_return Unit{};
    });
    return done ? out : done.error().message();
  }
  void until_answers(const std::string& host, const std::string& path, int status) {
    eventually("the gateway does not answer as it should", [&]() -> Async<bool> {
      const auto fetched = co_await fetch(host, path);
      co_return fetched && fetched->status == status;
    });
  }

  const bool moved_;
  std::string folder_;
  Options options_;
  asio::io_context loop_;
  SystemTimer timer_;
  SystemRng rng_;
  BlockingPool pool_{2};
  api::FakeClient client_{timer_, rng_};
  std::unique_ptr<api::InformerSet> informers_;
  std::unique_ptr<Gateway> gateway_;
  std::vector<std::unique_ptr<App>> apps_;
  Process haproxy_;
};

}  // namespace atl::gateway

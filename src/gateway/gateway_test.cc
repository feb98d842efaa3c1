#include "gateway/gateway.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <boost/asio/io_context.hpp>

#include "api/client/fake_client.h"
#include "base/async/run.h"
#include "base/crypto/base64.h"
#include "base/crypto/x509.h"
#include "base/io/files.h"
#include "base/net/client.h"
#include "base/net/server.h"
#include "base/net/websocket.h"
#include "gateway/rude_app_impl.h"

extern char** environ;

namespace atl::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr const char* kHaproxy = "/usr/sbin/haproxy";
constexpr uint16_t kHttp = 8080, kHttps = 8443;
const api::Gvr kIngresses{"networking.k8s.io", "v1", "ingresses"};
const api::Gvr kServices{"", "v1", "services"};
const api::Gvr kSecrets{"", "v1", "secrets"};
const api::Gvr kEvents{"", "v1", "events"};

// A network of our own, so that fixed ports are free: the whole process moves there once.
bool in_private_network() {
  static const bool moved = [] {
    if (::unshare(CLONE_NEWNET) != 0) return false;
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    request.ifr_name[0] = 'l', request.ifr_name[1] = 'o';
    request.ifr_flags = IFF_UP;
    const bool up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    return up;
  }();
  return moved;
}

// A program of a test; ended with it.
class Process {
 public:
  Process() = default;
  Process(std::vector<std::string> argv, const std::string& log) {
    std::vector<char*> raw;
    for (std::string& argument : argv) raw.push_back(argument.data());
    raw.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&files, 1, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 3);  // no listener of ours lives on in it
    EXPECT_EQ(::posix_spawn(&pid_, raw[0], &files, nullptr, raw.data(), environ), 0) << raw[0];
    ::posix_spawn_file_actions_destroy(&files);
  }
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept {
    end(SIGKILL);
    pid_ = std::exchange(other.pid_, -1);
    return *this;
  }
  ~Process() { end(SIGKILL); }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  bool ended() { return pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_ && (pid_ = -1); }

 private:
  pid_t pid_ = -1;
};

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
    ASSERT_TRUE(client_.put(
        kServices,
        *json::parse(fmt::format(
            R"({{"apiVersion":"v1","kind":"Service","metadata":{{"namespace":"default","name":"{}"}},
        "spec":{{"clusterIP":"{}","ports":[{{"name":"http","port":{}}}]}}}})",
            name, ip, port))));
  }
  void put_slice(const std::string& service, const std::string& address) {
    ASSERT_TRUE(client_.put(
        {"discovery.k8s.io", "v1", "endpointslices"},
        *json::parse(fmt::format(
            R"({{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{{"namespace":"default",
            "name":"{0}-1","labels":{{"kubernetes.io/service-name":"{0}"}}}},"addressType":"IPv4",
            "endpoints":[{{"addresses":["{1}"]}}],"ports":[{{"name":"http","port":80}}]}})",
            service, address))));
  }
  // paths: "PATHTYPE PATH SERVICE" each.
  void put_ingress(const std::string& name, const std::string& host,
                   std::vector<std::array<std::string, 3>> paths, const std::string& more = "",
                   const std::string& annotations = "") {
    std::string list;
    for (const auto& [type, path, service] : paths) {
      list += fmt::format(
          R"({}{{"pathType":"{}","path":"{}","backend":{{"service":{{"name":"{}","port":{{"name":"http"}}}}}}}})",
          list.empty() ? "" : ",", type, path, service);
    }
    const std::string text = fmt::format(
        R"({{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{{"namespace":"default","name":"{}",
        "uid":"u-{}","creationTimestamp":"2026-01-01T00:00:00Z","annotations":{{{}}}}},"spec":{{"ingressClassName":"atoll",
        "rules":[{{"host":"{}","http":{{"paths":[{}]}}}}]{}}}}})",
        name, name, annotations, host, list, more);
    auto parsed = json::parse(text);
    ASSERT_TRUE(parsed) << text;
    ASSERT_TRUE(client_.put(kIngresses, *std::move(parsed)));
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

// The certificate that the gateway shows for a host.
class CertificateTest : public GatewayTest {
 protected:
  void put_secret(const std::string& name, const std::string& common_name) {
    const auto issued = crypto::self_signed(
        {.common_name = common_name, .dns_names = {"a.localhost"}}, timer_, rng_);
    ASSERT_TRUE(issued);
    put_secret_bytes(name, issued->certificate_pem, issued->key_pem.reveal());
    authority_ = issued->certificate_pem;
  }
  void put_secret_bytes(const std::string& name, const std::string& crt, const std::string& key) {
    ASSERT_TRUE(client_.put(
        kSecrets,
        *json::parse(fmt::format(
            R"({{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/tls","metadata":{{"namespace":"default",
        "name":"{}"}},"data":{{"tls.crt":"{}","tls.key":"{}"}}}})",
            name, crypto::base64(crt), crypto::base64(key)))));
  }
  // True when the host shows the newest certificate that put_secret() made.
  Async<bool> shown(std::string host) {
    net::Endpoint endpoint{
        .host = "127.0.0.1", .port = kHttps, .tls = true, .ca = authority_, .server_name = host};
    const auto client = net::HttpClient::make(loop_.get_executor(), timer_, endpoint);
    net::ClientRequest request{.target = "/", .headers = {{"host", host}}};
    const auto response = co_await client->send(std::move(request), 10s);
    co_return response.has_value();
  }
  std::string authority_;
};

TEST_F(CertificateTest, SecretsComeChangeAndGoWithoutARestart) {
  app("web", "127.0.1.1", 80);
  put_service("web", "127.0.1.1", 80);
  const std::string tls = R"(,"tls":[{"secretName":"cert","hosts":["a.localhost"]}])";
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}}, tls);
  until_answers("a.localhost", "/", 200);
  put_secret("cert", "first");
  eventually("the certificate is not shown", [&] { return shown("a.localhost"); });
  put_secret("cert", "second");
  eventually("the new certificate is not shown", [&] { return shown("a.localhost"); });
  const auto mismatch = crypto::self_signed({.common_name = "other"}, timer_, rng_);
  const auto good = client_.peek(kSecrets, {"default", "cert"})->parse();
  put_secret_bytes("cert", mismatch->certificate_pem,
                   *crypto::base64_decode(json::string_at(good, {"data", "tls.key"})));
  eventually("there is no event", [&]() -> Async<bool> {
    for (const api::ObjectPtr& event : client_.peek_all(kEvents)) {
      if (event->text().find("CertificateRefused") != std::string::npos) co_return true;
    }
    co_return false;
  });
  bool still = false;
  go([&]() -> Task<> {
    still = co_await shown("a.localhost");
    co_return Unit{};
  });
  EXPECT_TRUE(still) << "a bad certificate does not replace a good one";
  haproxy_.end(SIGKILL);
  start_haproxy();
  eventually("after a restart it is not shown", [&] { return shown("a.localhost"); });
  put_ingress("a", "a.localhost", {{"Prefix", "/", "web"}});
  eventually("it is still shown", [&]() -> Async<bool> {
    const bool there = co_await shown("a.localhost");
    co_return !there;
  });
  EXPECT_TRUE(std::filesystem::is_empty(options_.certificate_folder()));
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    const bool key = file.path().filename() == "default.pem";
    if (key) EXPECT_EQ(file.status().permissions(), std::filesystem::perms(0600)) << file.path();
  }
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

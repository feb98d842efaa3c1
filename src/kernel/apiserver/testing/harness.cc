#include "kernel/apiserver/testing/harness.h"

#include "base/core/check.h"
#include "base/observe/log.h"

namespace atl::apiserver {
namespace {
constexpr Duration kTestLimit = std::chrono::hours(24);
}

class Harness::TestUsers final : public Authenticator {
 public:
  Task<std::optional<UserInfo>> authenticate(const net::Request& request) override {
    UserInfo user{.name = std::string(request.headers.get("x-test-user"))};
    for (const std::string_view group : request.headers.all("x-test-group"))
      user.groups.emplace_back(group);
    if (user.name.empty()) {
      user.name = "admin";
      user.groups.emplace_back(kGroupMasters);
    }
    co_return user;
  }
};

Harness::Harness() : Harness(Setup{}) {}

Harness::Harness(Setup setup)
    : kinds(*api::KindSet::builtin()),
      setup_(std::move(setup)),
      users_(std::make_unique<TestUsers>()) {}

Harness::~Harness() = default;

Task<> Harness::start() {
  CO_TRY(cache, co_await WatchCache::open(store, kinds, timer));
  if (setup_.before_start) setup_.before_start(*this);
  Authorizer* authorizer =
      setup_.authorizer ? setup_.authorizer : static_cast<Authorizer*>(&allow_all_);
  server = ApiServer::make({.executor = loop.get_executor(),
                            .cache = *cache,
                            .kinds = kinds,
                            .timer = timer,
                            .rng = rng,
                            .authenticator = *users_,
                            .authorizer = *authorizer,
                            .admission = admission,
                            .hooks = hooks,
                            .versions = versions,
                            .limits = setup_.limits,
                            .trail = setup_.trail});
  streams_ = std::make_unique<TaskGroup>(loop.get_executor());
  co_return co_await server->start();
}

void Harness::run(std::function<Task<>()> body) {
  const Result<> done = run_simulated(loop, timer, kTestLimit, [&]() -> Task<> {
    CO_TRY_OK(co_await start());
    auto outcome = co_await body();
    co_await streams_->stop();
    co_await server->stop();
    co_return std::move(outcome);
  });
  if (!done) log::error("test body failed", {{"error", done.error()}});
  CHECK(done.has_value());
}

net::Request Harness::request(std::string method, std::string target, std::string body,
                              net::Headers headers) const {
  net::Request out{.method = std::move(method)};
  const size_t mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark != std::string::npos) out.query = target.substr(mark + 1);
  out.headers = std::move(headers);
  if (!body.empty() && !out.headers.has("content-type"))
    out.headers.set("content-type", "application/json");
  out.peer.address = "127.0.0.1:1";
  out.body = std::make_shared<FakeBody>(std::move(body));
  return out;
}

Async<Harness::ReplyPtr> Harness::call(std::string method, std::string target, std::string body,
                                       net::Headers headers) {
  auto reply = std::make_shared<FakeReply>();
  FakeResponder responder(reply);
  co_await server->handler()(
      request(std::move(method), std::move(target), std::move(body), std::move(headers)),
      responder);
  co_return reply;
}

Harness::ReplyPtr Harness::open(std::string target, net::Headers headers) {
  return send("GET", std::move(target), std::make_shared<FakeBody>(""), std::move(headers));
}

Harness::ReplyPtr Harness::send(std::string method, std::string target,
                                std::shared_ptr<net::BodyReader> body, net::Headers headers) {
  auto reply = std::make_shared<FakeReply>();
  auto asked = request(std::move(method), std::move(target), {}, std::move(headers));
  asked.body = std::move(body);
  streams_->spawn("stream", [this, reply, asked]() -> Async<void> {
    FakeResponder responder(reply);
    co_await server->handler()(asked, responder);
    reply->closed = true;
    reply->changed.notify();
  });
  return reply;
}

Async<json::Value> Harness::next_line(ReplyPtr reply) {
  for (;;) {
    const size_t end = reply->body.find('\n');
    if (end != std::string::npos) {
      auto line = json::parse(reply->body.substr(0, end));
      reply->body.erase(0, end + 1);
      co_return line ? *line : json::Value("not JSON");
    }
    if (reply->finished) co_return json::Value();
    const bool woken = co_await reply->changed.wait();
    if (!woken) co_return json::Value();
  }
}

}  // namespace atl::apiserver

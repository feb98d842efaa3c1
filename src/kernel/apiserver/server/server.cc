#include "kernel/apiserver/server/server.h"

#include <algorithm>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/observe/log.h"
#include "kernel/apiserver/auth/impersonation.h"
#include "kernel/apiserver/custom/custom_kinds.h"
#include "kernel/apiserver/pipeline/audit.h"
#include "kernel/apiserver/pipeline/deadline.h"
#include "kernel/apiserver/server/local_client.h"
#include "kernel/apiserver/subresources/subresources.h"

namespace atl::apiserver {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);

Attributes attributes_of(const Exchange& exchange) {
  const RequestInfo& info = exchange.info;
  return {.user = exchange.user,
          .verb = info.verb,
          .is_resource = info.is_resource,
          .group = info.group,
          .version = info.version,
          .resource = info.resource,
          .subresource = info.subresource,
          .ns = info.ns,
          .name = info.name,
          .path = info.path,
          .field_selector = std::string(exchange.query.get("fieldSelector")),
          .label_selector = std::string(exchange.query.get("labelSelector"))};
}

json::Value root_document() {
  json::Array paths;
  for (const std::string_view path : {"/api", "/apis", "/healthz", "/livez", "/metrics",
                                      "/openapi/v2", "/openapi/v3", "/readyz", "/version"}) {
    paths.emplace_back(path);
  }
  return json::Object{{"paths", std::move(paths)}};
}

}  // namespace

std::unique_ptr<ApiServer> ApiServer::make(Options options) {
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(options)));
}

ApiServer::ApiServer(Options options)
    : options_(std::move(options)),
      registry_({.cache = options_.cache,
                 .kinds = options_.kinds,
                 .versions = options_.versions,
                 .hooks = options_.hooks,
                 .admission = options_.admission,
                 .timer = options_.timer,
                 .rng = options_.rng}),
      resources_(registry_, options_.kinds, options_.hooks, options_.timer, options_.rng),
      documents_(options_.kinds),
      fairness_(options_.limits),
      custom_(std::make_unique<CustomKinds>(registry_, options_.kinds, options_.executor)),
      tasks_(options_.executor) {
  custom_->add_hooks(options_.hooks);
  add_subresources(options_.hooks);
  health_.add("ping", Health::Of::kEverything, [] { return Result<>(Unit{}); });
}

ApiServer::~ApiServer() = default;

Task<> ApiServer::start() {
  CO_TRY_OK(co_await custom_->start());
  tasks_.spawn("watch deadlines", [this] { return tick(); });
  tasks_.spawn("compaction", [this] { return compact(); });
  co_return Unit{};
}

Async<void> ApiServer::stop() {
  co_await tasks_.stop();
  co_await custom_->stop();
  if (options_.trail) options_.trail->flush();
}

net::Handler ApiServer::handler() {
  return [this](net::Request request, net::Responder& responder) {
    return serve(std::make_unique<Exchange>(std::move(request), responder), responder);
  };
}

std::unique_ptr<api::Client> ApiServer::client_as(UserInfo user, std::string manager) {
  return make_local_client({.registry = registry_,
                            .kinds = options_.kinds,
                            .hooks = options_.hooks,
                            .authorizer = options_.authorizer,
                            .user = std::make_shared<const UserInfo>(std::move(user)),
                            .manager = std::move(manager)});
}

Async<void> ApiServer::serve(std::unique_ptr<Exchange> owned, net::Responder& responder) {
  Exchange& exchange = *owned;
  exchange.begun = options_.timer.monotonic();
  exchange.audit_id = audit_id_of(exchange.http.headers, options_.rng);
  auto done = co_await run(exchange);
  if (done && exchange.go_on) done = co_await exchange.go_on();
  if (!done) {
    const Error error = std::move(done).error();
    if (error.code() == Code::kInternal || error.code() == Code::kExhausted) {
      log::error("request failed",
                 {{"audit_id", exchange.audit_id}, {"path", exchange.info.path}, {"error", error}});
    }
    if (!responder.answered()) {
      // The peer may be gone by now: nobody is left to be told.
      const auto sent = co_await exchange.reply_error(error);
      (void)sent;
    }
  }
  const MonoTime now = options_.timer.monotonic();
  audit(exchange, now);
  if (options_.trail) options_.trail->note(exchange, options_.timer.now());
  metrics_.count(exchange, now);
}

Task<> ApiServer::run(Exchange& exchange) {
  CO_TRY(exchange.query, net::Query::parse(exchange.http.query));
  CO_TRY(exchange.info,
         read_request_info(exchange.http.method, exchange.http.path, exchange.query));
  const bool stream = is_long_running(exchange.info);
  Duration limit = kRequestWithin;
  if (!stream) {
    CO_TRY(limit, request_deadline(exchange.query, exchange.info));
  }
  CO_TRY_OK(co_await authenticate(exchange));
  exchange.revalidate = [this, &exchange] { return revalidate(exchange); };
  if (stream) co_return co_await dispatch(exchange);
  co_return co_await dispatch_within(exchange, limit);
}

// A write that has reached the store is made, even where its client is told that time was up.
Task<> ApiServer::dispatch_within(Exchange& exchange, Duration limit) {
  using namespace asio::experimental::awaitable_operators;
  auto first = co_await (dispatch(exchange) || time_is_up(exchange, limit));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return Error(Code::kTimeout, "Timeout: request did not complete within the allotted timeout");
}

Async<bool> ApiServer::time_is_up(const Exchange& exchange, Duration limit) {
  if (limit <= kBodyWithin) co_return co_await options_.timer.sleep_for(limit);
  const bool slept = co_await options_.timer.sleep_for(kBodyWithin);
  if (!slept || exchange.body_arriving) co_return slept;
  co_return co_await options_.timer.sleep_for(limit - kBodyWithin);
}

Task<> ApiServer::authenticate(Exchange& exchange) {
  auto user = co_await options_.authenticator.authenticate(exchange.http);
  const bool nobody = user ? !*user : user.error().code() == Code::kUnauthorized;
  if (nobody) co_return Error(Code::kUnauthorized, "Unauthorized");
  if (!user) co_return std::move(user).error();
  exchange.user = std::make_shared<const UserInfo>(**std::move(user));
  CO_TRY(std::optional<Impersonation> wanted, read_impersonation(exchange.http.headers));
  if (wanted) {
    CO_TRY(UserInfo other,
           co_await impersonate(options_.authorizer, exchange.user, *std::move(wanted)));
    exchange.impersonator = exchange.user->name;
    exchange.user = std::make_shared<const UserInfo>(std::move(other));
  }
  co_return Unit{};
}

Task<> ApiServer::authorize(const Exchange& exchange) {
  const Attributes wanted = attributes_of(exchange);
  CO_TRY(const Decision decision, co_await options_.authorizer.authorize(wanted));
  if (!decision.allowed) co_return forbidden(wanted, decision.reason);
  co_return Unit{};
}

Task<> ApiServer::revalidate(Exchange& exchange) {
  CO_TRY_OK(co_await authenticate(exchange));
  CO_TRY_OK(co_await authorize(exchange));
  const auto kind = resources_.route(exchange.info);
  if (kind) CO_TRY_OK(co_await authorize_upgrade(exchange, **kind));
  co_return Unit{};
}

// A WebSocket starts as a GET, which would make exec a matter of reading: where the subresource has
// the verb create too, it is asked for as well.
Task<> ApiServer::authorize_upgrade(const Exchange& exchange, const api::Kind& kind) {
  if (exchange.info.verb != "get" || !exchange.http.headers.has("upgrade")) co_return Unit{};
  const api::Subresource* sub = kind.subresource(exchange.info.subresource);
  if (!sub || std::find(sub->verbs.begin(), sub->verbs.end(), "create") == sub->verbs.end())
    co_return Unit{};
  Attributes wanted = attributes_of(exchange);
  wanted.verb = "create";
  CO_TRY(const Decision decision, co_await options_.authorizer.authorize(wanted));
  if (!decision.allowed) co_return forbidden(wanted, decision.reason);
  co_return Unit{};
}

Task<> ApiServer::dispatch(Exchange& exchange) {
  if (exchange.info.is_resource) {
    exchange.subject = {
        .name = exchange.info.name, .group = exchange.info.group, .kind = exchange.info.resource};
  }
  CO_TRY_OK(co_await authorize(exchange));
  if (!exchange.info.is_resource) co_return co_await serve_path(exchange);
  auto kind = resources_.route(exchange.info);
  if (kind) {
    CO_TRY_OK(co_await authorize_upgrade(exchange, **kind));
    if (is_mutating(exchange.info)) CO_TRY_OK(co_await receive_write(exchange));
    CO_TRY_OK(take_place(exchange));
    co_return co_await resources_.serve(exchange, *kind);
  }
  exchange.subject = {};
  bool known = false;
  for (const api::GroupVersion& gv : options_.kinds.group_versions()) {
    known = known || (gv.group == exchange.info.group && gv.version == exchange.info.version);
  }
  if (known) co_return std::move(kind).error();
  co_return co_await exchange.reply(404, "text/plain; charset=utf-8",
                                    std::string("404 page not found\n"));
}

// A client that sends its write slowly keeps none of the places of writes meanwhile.
Task<> ApiServer::receive_write(Exchange& exchange) {
  if (is_long_running(exchange.info)) co_return Unit{};
  CO_TRY(const Fairness::Ticket place, fairness_.admit(Fairness::Use::kBody, *exchange.user));
  exchange.body_arriving = true;
  CO_TRY_OK(co_await receive_body(exchange));
  exchange.body_arriving = false;
  co_return Unit{};
}

Result<> ApiServer::take_place(Exchange& exchange) {
  using Use = Fairness::Use;
  if (is_probe(exchange.info)) return Unit{};
  Use use = is_mutating(exchange.info) ? Use::kWrite : Use::kRead;
  if (is_long_running(exchange.info)) use = Use::kStream;
  TRY(Fairness::Ticket place, fairness_.admit(use, *exchange.user));
  exchange.place.emplace(std::move(place));
  return Unit{};
}

Task<> ApiServer::serve_path(Exchange& exchange) {
  CO_TRY_OK(take_place(exchange));
  CO_TRY(bool served, co_await documents_.serve(exchange));
  if (served) co_return Unit{};
  CO_TRY(served, co_await health_.serve(exchange));
  if (served) co_return Unit{};
  const std::string& path = exchange.info.path;
  const HookTable::Document* make = options_.hooks.document(path);
  if (make && exchange.info.verb == "get") {
    co_return co_await exchange.reply_document(200, (*make)());
  }
  if (path == "/metrics") {
    co_return co_await exchange.reply(200, "text/plain; version=0.0.4; charset=utf-8",
                                      metrics_.text(fairness_, options_.cache));
  }
  if (path == "/" || path.empty()) co_return co_await exchange.reply_document(200, root_document());
  co_return co_await exchange.reply(404, "text/plain; charset=utf-8",
                                    std::string("404 page not found\n"));
}

Async<void> ApiServer::tick() {
  for (;;) {
    const bool slept = co_await options_.timer.sleep_for(kTick);
    if (!slept) co_return;
    options_.cache.wake_due();
    if (options_.trail) options_.trail->flush();
  }
}

// What is older than one round is forgotten, as kube-apiserver does with etcd: lists in pages and
// watches that are further behind get 410 and begin anew.
Async<void> ApiServer::compact() {
  Revision before = options_.cache.revision();
  for (;;) {
    const bool slept = co_await options_.timer.sleep_for(options_.compact_every);
    if (!slept) co_return;
    if (before && before > options_.cache.store().compacted()) {
      const auto done = co_await options_.cache.store().compact(before);
      if (!done) log::warn("compaction failed", {{"error", done.error()}});
    }
    before = options_.cache.revision();
  }
}

}  // namespace atl::apiserver

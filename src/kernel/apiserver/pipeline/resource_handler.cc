#include "kernel/apiserver/pipeline/resource_handler.h"

#include <algorithm>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "kernel/apiserver/pipeline/event_sink.h"
#include "kernel/apiserver/pipeline/gzip.h"
#include "kernel/apiserver/pipeline/read_call.h"
#include "kernel/apiserver/registry/options.h"
#include "kernel/apiserver/subresources/proxy.h"

namespace atl::apiserver {
namespace {

// Lists up to here are answered in one piece, with a length.
constexpr size_t kWholeListBytes = 1024 * 1024;
constexpr int64_t kWatchMinutesMin = 30;
// How long a stream goes on after its caller lost the right to it.
constexpr Duration kRecheckEvery = std::chrono::seconds(8);

bool has_verb(const std::vector<std::string>& verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

// The verbs a path offers; connects and virtual subresources by their own lists.
bool offers(const api::Kind& kind, const RequestInfo& info) {
  if (info.subresource.empty()) return has_verb(kind.verbs, info.verb);
  const api::Subresource* sub = kind.subresource(info.subresource);
  return sub && (sub->verbs.empty() || has_verb(sub->verbs, info.verb));
}

Result<PatchBody> read_patch(const Exchange& exchange, std::string_view text) {
  TRY(PatchBody patch, decode_patch(exchange.http.headers, text));
  patch.force = exchange.query.flag("force");
  if (!exchange.query.has("force") || patch.type == api::PatchType::kApply) return patch;
  return Error(Code::kInvalid,
               "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified "
               "for non-apply patch")
      .with_cause(
          {"FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"});
}

}  // namespace

Result<api::KindPtr> ResourceHandler::route(const RequestInfo& info) const {
  api::KindPtr kind = kinds_.find(info.gvr());
  if (!kind || kind->verbs.empty()) return unknown_resource();  // stored, but not served
  if (!info.subresource.empty() && !kind->subresource(info.subresource)) return unknown_resource();
  // Namespaced objects have a namespace in their path, and only they. All namespaces: list and
  // watch.
  const bool across =
      info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection";
  // A namespace's own path reads as an object inside itself.
  const bool itself = info.resource == "namespaces" && info.ns == info.name;
  if (!kind->namespaced && !info.ns.empty() && !itself) return unknown_resource();
  if (kind->namespaced && info.ns.empty() && !across) return unknown_resource();
  if (kind->namespaced && info.ns.empty() && info.verb == "deletecollection")
    return method_not_allowed();
  return kind;
}

Task<> ResourceHandler::serve(Exchange& exchange, api::KindPtr kind) {
  exchange.subject = {
      .name = exchange.info.name, .group = exchange.info.group, .kind = exchange.info.resource};
  exchange.kind = kind->gvk.kind;
  if (!offers(*kind, exchange.info)) co_return method_not_allowed();
  CO_TRY(const Call call, read_call(exchange, kind));
  if (exchange.info.subresource.empty()) co_return co_await serve_object(exchange, call);
  co_return co_await serve_subresource(exchange, call);
}

Task<> ResourceHandler::serve_object(Exchange& exchange, const Call& call) {
  const std::string& verb = exchange.info.verb;
  if (verb == "get") co_return co_await get(exchange, call);
  if (verb == "list") co_return co_await list(exchange, call);
  if (verb == "watch") co_return co_await watch(exchange, call);
  if (verb == "delete") co_return co_await remove(exchange, call);
  if (verb == "deletecollection") co_return co_await remove_collection(exchange, call);
  // Names are created in a collection, everything else happens to a name.
  if ((verb == "create") != exchange.info.name.empty()) co_return method_not_allowed();
  if (verb == "create" && hooks_.virtual_hook(call.kind->gvr, {}))
    co_return co_await post(exchange, call);
  co_return co_await write(exchange, call);
}

Task<> ResourceHandler::serve_subresource(Exchange& exchange, const Call& call) {
  const std::string& sub = call.subresource;
  if (ConnectHook* hook = hooks_.connect_hook(call.kind->gvr, sub))
    co_return co_await connect(exchange, call, *hook);
  if (sub == "scale" && !call.kind->scale_spec_path.empty())
    co_return co_await scale(exchange, call);
  if (exchange.info.verb == "create") co_return co_await post(exchange, call);
  const bool part = sub == "status" || hooks_.part(call.kind->gvr, sub);
  if (!part) co_return method_not_allowed();
  if (exchange.info.verb == "get") co_return co_await get(exchange, call);
  co_return co_await write(exchange, call);
}

Result<View> ResourceHandler::view_of(const Exchange& exchange, const Call& call) const {
  const bool known = call.kind->schema && !call.kind->custom;
  return choose_view(exchange.http.headers, exchange.query,
                     known ? ProtobufForm::kKnown : ProtobufForm::kNone);
}

BodyType ResourceHandler::body_type(const Call& call) const {
  const api::Subresource* sub = call.kind->subresource(call.subresource);
  return {.kind = sub && !sub->kind.kind.empty() ? sub->kind.kind : call.kind->gvk.kind,
          .protobuf = call.kind->custom ? ProtobufForm::kNone : ProtobufForm::kKnown};
}

Task<> ResourceHandler::get(Exchange& exchange, const Call& call) {
  CO_TRY(const View view, view_of(exchange, call));
  CO_TRY(const Revision revision, read_revision(exchange.query));
  CO_TRY(const CachedPtr found, co_await registry_.get(call, revision));
  CO_TRY(SharedBytes bytes, views_.object(found->object, call.kind, view));
  std::vector<SharedBytes> body;
  body.push_back(std::move(bytes));
  co_return co_await exchange.reply(200, std::string(view.content_type()), std::move(body));
}

Task<> ResourceHandler::list(Exchange& exchange, const Call& call) {
  CO_TRY(View view, view_of(exchange, call));
  if (view.encoding == Encoding::kProtobuf) view.encoding = Encoding::kJson;
  CO_TRY(const ListQuery query, read_list(exchange.query, *call.kind));
  CO_TRY(ListPage page, co_await registry_.list(call, query));
  co_return co_await send_list(exchange, views_.list(std::move(page), call.kind, view), view);
}

Task<> ResourceHandler::send_list(Exchange& exchange, Views::List list, const View& view) {
  if (!list.exceeds(kWholeListBytes) || view.encoding != Encoding::kJson) {
    std::vector<SharedBytes> body;
    for (;;) {
      CO_TRY(std::vector<SharedBytes> part, list.more());
      if (part.empty()) break;
      std::ranges::move(part, std::back_inserter(body));
    }
    if (view.encoding == Encoding::kJson && !view.pretty) {
      co_return co_await exchange.reply(200, "application/json", std::move(body));
    }
    std::string whole;
    for (const SharedBytes& piece : body) whole += *piece;
    CO_TRY(const json::Value document, json::parse(whole, {.max_bytes = size_t(1) << 32}));
    CO_TRY(SharedBytes bytes, views_.document(document, nullptr, view));
    body.assign(1, std::move(bytes));
    co_return co_await exchange.reply(200, std::string(view.content_type()), std::move(body));
  }
  std::optional<Gzip> gzip;
  if (wants_gzip(exchange.http)) {
    gzip.emplace();
    exchange.headers.set("content-encoding", "gzip");
    exchange.headers.add("vary", "Accept-Encoding");
  }
  CO_TRY(auto stream, co_await exchange.stream(200, "application/json"));
  for (;;) {
    CO_TRY(std::vector<SharedBytes> part, list.more());
    if (part.empty()) break;
    if (gzip) part = {share(gzip->add(part))};
    CO_TRY_OK(co_await stream->write_all(std::move(part)));
  }
  if (gzip) CO_TRY_OK(co_await stream->write(share(gzip->finish())));
  co_return co_await stream->finish();
}

// A watch that has begun: all that it needs for as long as it lives.
struct ResourceHandler::OpenWatch {
  std::unique_ptr<Watcher> watcher;
  api::KindPtr kind;
  View view;
  std::unique_ptr<EventSink> sink;
};

Task<> ResourceHandler::watch(Exchange& exchange, const Call& call) {
  CO_TRY(View view, view_of(exchange, call));
  view.encoding = Encoding::kJson;
  view.pretty = false;
  // Spread over half an hour, so that watchers do not come back all at once.
  const auto timeout = std::chrono::minutes(kWatchMinutesMin) +
                       std::chrono::seconds(int64_t(rng_.below(uint64_t(kWatchMinutesMin) * 60)));
  CO_TRY(WatchQuery query, read_watch(exchange.query, *call.kind, timeout));
  auto watcher = co_await registry_.watch(call, std::move(query));
  if (!watcher && watcher.error().code() != Code::kGone) co_return std::move(watcher).error();
  CO_TRY(auto sink, co_await open_event_sink(exchange));
  if (!watcher) {
    CO_TRY_OK(co_await sink->write(views_.error_frame(watcher.error())));
    co_return co_await sink->finish();
  }
  const auto opened =
      std::make_shared<OpenWatch>(*std::move(watcher), call.kind, std::move(view), std::move(sink));
  exchange.go_on = [this, &exchange, opened] { return carry_watch(exchange, opened); };
  co_return Unit{};
}

Task<> ResourceHandler::carry_watch(Exchange& exchange, std::shared_ptr<OpenWatch> watch) {
  auto ended = co_await watch->sink->carry(send_events(exchange, *watch));
  if (!ended && ended.error().code() == Code::kCancelled) co_return std::move(ended).error();
  if (!ended) CO_TRY_OK(co_await watch->sink->write(views_.error_frame(ended.error())));
  co_return co_await watch->sink->finish();
}

// Until the watch's time is over, or its caller may not see more: the error is the last event then.
Task<> ResourceHandler::send_events(Exchange& exchange, const OpenWatch& watch) {
  Columns columns = watch.view.shape == Shape::kTable ? Columns::kDefine : Columns::kOmit;
  MonoTime recheck_at = timer_.monotonic() + kRecheckEvery;
  for (;;) {
    CO_TRY(const auto item, co_await watch.watcher->next(recheck_at));
    if (!item) co_return Unit{};
    if (timer_.monotonic() >= recheck_at) {
      recheck_at = timer_.monotonic() + kRecheckEvery;
      CO_TRY_OK(co_await exchange.revalidate());
    }
    if (item->quiet) continue;
    CO_TRY(SharedBytes frame, views_.frame(*item, watch.kind, watch.view, columns));
    if (item->type != api::EventType::kBookmark) columns = Columns::kOmit;
    CO_TRY_OK(co_await watch.sink->write(std::move(frame)));
  }
}

Task<> ResourceHandler::write(Exchange& exchange, const Call& call) {
  CO_TRY(const View view, view_of(exchange, call));
  CO_TRY(const std::string text, co_await read_body(exchange));
  if (exchange.info.verb == "patch") {
    CO_TRY(PatchBody patch, read_patch(exchange, text));
    CO_TRY(const Written written, co_await registry_.patch(call, std::move(patch)));
    co_return co_await reply_written(exchange, call, written, view);
  }
  CO_TRY(Body body, decode_body(exchange.http.headers, text, kinds_, body_type(call)));
  if (exchange.info.verb == "update") {
    CO_TRY(const Written written, co_await registry_.update(call, std::move(body)));
    co_return co_await reply_written(exchange, call, written, view);
  }
  if (exchange.subject.name.empty())
    exchange.subject.name = json::string_at(body.document, {"metadata", "name"});
  CO_TRY(const Written written, co_await registry_.create(call, std::move(body)));
  co_return co_await reply_written(exchange, call, written, view);
}

Task<> ResourceHandler::reply_written(Exchange& exchange, const Call& call, const Written& written,
                                      const View& view) {
  CO_TRY(SharedBytes bytes, views_.object(written.object, call.kind, view));
  std::vector<SharedBytes> body;
  body.push_back(std::move(bytes));
  co_return co_await exchange.reply(written.created ? 201 : 200, std::string(view.content_type()),
                                    std::move(body));
}

Task<> ResourceHandler::remove(Exchange& exchange, Call call) {
  CO_TRY(const View view, view_of(exchange, call));
  CO_TRY(const std::string text, co_await read_body(exchange));
  CO_TRY(const json::Value options, decode_delete_options(exchange.http.headers, text, kinds_));
  CO_TRY(const DeleteQuery query, read_delete(exchange.query, options));
  CO_TRY(const bool dry_run, delete_is_dry_run(options));
  call.dry_run = call.dry_run || dry_run;
  CO_TRY(const Removed removed, co_await registry_.remove(call, query));
  const bool waits = !removed.gone && query.orphan_dependents && !*query.orphan_dependents;
  if (!removed.gone) {
    CO_TRY(SharedBytes bytes, views_.object(removed.object, call.kind, view));
    std::vector<SharedBytes> body;
    body.push_back(std::move(bytes));
    co_return co_await exchange.reply(waits ? 202 : 200, std::string(view.content_type()),
                                      std::move(body));
  }
  co_return co_await exchange.reply_document(200, success_document({.name = call.key.name,
                                                                    .group = call.kind->gvr.group,
                                                                    .kind = call.kind->gvr.resource,
                                                                    .uid = removed.object->uid()}));
}

Task<> ResourceHandler::remove_collection(Exchange& exchange, Call call) {
  CO_TRY(View view, view_of(exchange, call));
  view.encoding = Encoding::kJson;
  CO_TRY(const std::string text, co_await read_body(exchange));
  CO_TRY(const json::Value options, decode_delete_options(exchange.http.headers, text, kinds_));
  CO_TRY(const DeleteQuery query, read_delete(exchange.query, options));
  CO_TRY(const ListQuery list, read_list(exchange.query, *call.kind));
  CO_TRY(const bool dry_run, delete_is_dry_run(options));
  call.dry_run = call.dry_run || dry_run;
  call.key.name.clear();
  CO_TRY(std::vector<api::ObjectPtr> removed,
         co_await registry_.remove_collection(call, list, query));
  ListPage page{.revision = registry_.cache().revision()};
  for (api::ObjectPtr& object : removed) {
    auto cached = std::make_shared<Cached>();
    cached->object = std::move(object);
    page.items.push_back(std::move(cached));
  }
  co_return co_await send_list(exchange, views_.list(std::move(page), call.kind, view), view);
}

Task<> ResourceHandler::scale(Exchange& exchange, const Call& call) {
  const api::Subresource* sub = call.kind->subresource("scale");
  CO_TRY(const View view, choose_view(exchange.http.headers, exchange.query,
                                      sub->schema && !call.kind->custom ? ProtobufForm::kKnown
                                                                        : ProtobufForm::kNone));
  json::Value scale;
  if (exchange.info.verb == "get") {
    CO_TRY(scale, co_await registry_.get_scale(call));
  } else {
    CO_TRY(const std::string text, co_await read_body(exchange));
    if (exchange.info.verb == "patch") {
      CO_TRY(PatchBody patch, read_patch(exchange, text));
      CO_TRY(scale, co_await registry_.patch_scale(call, std::move(patch)));
    } else {
      CO_TRY(Body body, decode_body(exchange.http.headers, text, kinds_, body_type(call)));
      CO_TRY(scale, co_await registry_.update_scale(call, std::move(body)));
    }
  }
  View plain = view;
  plain.shape = Shape::kObject;
  CO_TRY(SharedBytes bytes, views_.document(scale, sub->schema, plain));
  std::vector<SharedBytes> body;
  body.push_back(std::move(bytes));
  co_return co_await exchange.reply(200, std::string(plain.content_type()), std::move(body));
}

Task<> ResourceHandler::post(Exchange& exchange, const Call& call) {
  CO_TRY(const std::string text, co_await read_body(exchange));
  Body body;
  if (!text.empty()) {
    CO_TRY(body, decode_body(exchange.http.headers, text, kinds_, body_type(call)));
  }
  CO_TRY(VirtualReply reply, co_await registry_.post(call, std::move(body)));
  co_return co_await exchange.reply_document(reply.status, reply.document);
}

// Ends, with the reason, when the caller may not go on.
Task<> ResourceHandler::revoked(Exchange& exchange) {
  for (;;) {
    const bool slept = co_await timer_.sleep_for(kRecheckEvery);
    if (!slept) co_return Error(Code::kCancelled, "the stream was cancelled");
    CO_TRY_OK(co_await exchange.revalidate());
  }
}

Task<> ResourceHandler::connect(Exchange& exchange, const Call& call, ConnectHook& hook) {
  Call of_parent = call;
  if (call.subresource == "proxy") {
    CO_TRY(ProxyName named, parse_proxy_name(call.key.name));
    of_parent.key.name = std::move(named.name);
  }
  CO_TRY(const CachedPtr parent, registry_.find(of_parent));
  AdmissionRequest admission{.operation = Operation::kConnect,
                             .kind = call.kind,
                             .subresource = call.subresource,
                             .user = call.user,
                             .ns = call.key.ns,
                             .name = call.key.name};
  const AdmissionChain& chain = registry_.parts().admission;
  CO_TRY_OK(co_await chain.mutate(admission));
  CO_TRY_OK(co_await chain.validate(admission));
  chain.finished(admission, true);
  ConnectRequest request{.kind = *call.kind,
                         .subresource = call.subresource,
                         .key = call.key,
                         .user = call.user,
                         .parent = parent->object,
                         .http = exchange.http,
                         .query = exchange.query,
                         .rest = exchange.info.rest};
  using namespace asio::experimental::awaitable_operators;
  auto ended =
      co_await (hook.connect(std::move(request), exchange.responder()) || revoked(exchange));
  if (exchange.responder().answered()) exchange.answered_by_hook(200);
  co_return ended.index() == 0 ? std::get<0>(std::move(ended)) : std::get<1>(std::move(ended));
}

}  // namespace atl::apiserver

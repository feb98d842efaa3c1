#include "api/client/remote_client.h"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "api/client/status_error.h"
#include "api/client/wire.h"

namespace atl::api {
namespace {

// Silence after which a watch is taken for dead, beyond the time it may last.
constexpr Duration kWatchGrace = std::chrono::seconds(30);

std::string collection_path(const Gvr& resource, const std::string& ns) {
  std::string path = resource.group.empty() ? "/api/" : "/apis/" + resource.group + "/";
  path += resource.version;
  if (!ns.empty()) path += "/namespaces/" + net::percent_encode(ns);
  return path + "/" + resource.resource;
}

std::string object_path(const Gvr& resource, const ObjectKey& key,
                        const std::string& subresource = {}) {
  std::string path = collection_path(resource, key.ns) + "/" + net::percent_encode(key.name);
  return subresource.empty() ? path : path + "/" + subresource;
}

// "?a=b&c=d", empty values left out.
class QueryText {
 public:
  QueryText& add(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    text_ += text_.empty() ? "?" : "&";
    text_ += fmt::format("{}={}", name, net::percent_encode(value));
    return *this;
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
};

std::string number(uint64_t value) {
  return value == 0 ? std::string() : std::to_string(value);
}

std::string_view content_type(PatchType type) {
  switch (type) {
    case PatchType::kJson:
      return "application/json-patch+json";
    case PatchType::kMerge:
      return "application/merge-patch+json";
    case PatchType::kStrategic:
      return "application/strategic-merge-patch+json";
    case PatchType::kApply:
      return "application/apply-patch+yaml";
  }
  return {};
}

class RemoteWatch final : public Watch {
 public:
  RemoteWatch(Timer& timer, std::shared_ptr<net::BodyReader> body, MonoTime end)
      : timer_(timer), body_(std::move(body)), end_(end) {}

  Task<WatchEvent> next() override {
    while (true) {
      const size_t line_end = buffer_.find('\n', scanned_);
      if (line_end != std::string::npos) {
        Result<WatchEvent> event =
            event_from_line(std::string_view(buffer_).substr(begin_, line_end - begin_));
        begin_ = scanned_ = line_end + 1;
        co_return event;
      }
      CO_TRY_OK(co_await fill());
    }
  }

 private:
  Task<> fill() {
    using namespace asio::experimental::awaitable_operators;
    buffer_.erase(0, begin_);
    begin_ = 0;
    scanned_ = buffer_.size();
    if (buffer_.size() > kEventMax) co_return Error(Code::kTooLarge, "a watch event is too large");
    auto first = co_await (body_->read_some() || timer_.sleep_for(end_ - timer_.monotonic()));
    if (first.index() == 1) co_return Error(Code::kUnavailable, "the watch fell silent");
    Result<std::string> piece = std::get<0>(std::move(first));
    if (!piece) co_return std::move(piece).error();
    if (piece->empty()) co_return Error(Code::kUnavailable, "the watch ended");
    buffer_ += *piece;
    co_return Unit{};
  }

  Timer& timer_;
  std::shared_ptr<net::BodyReader> body_;
  MonoTime end_;
  std::string buffer_;
  size_t begin_ = 0;    // of the line that is being read
  size_t scanned_ = 0;  // no newline before
};

}  // namespace

RemoteClient::RemoteClient(Executor executor, Timer& timer, Rng& rng, ClusterAccess access,
                           Options options)
    : timer_(timer),
      rng_(rng),
      access_(std::move(access)),
      options_(std::move(options)),
      http_(net::HttpClient::make(executor, timer, access_.endpoint)) {}

net::ClientRequest RemoteClient::request(std::string method, std::string target) const {
  net::ClientRequest out;
  out.method = std::move(method);
  out.target = access_.path_prefix + std::move(target);
  out.headers.add("accept", "application/json");
  out.headers.add("user-agent", options_.user_agent);
  if (!access_.token.empty()) out.headers.add("authorization", "Bearer " + access_.token);
  if (!options_.impersonate_user.empty())
    out.headers.add("impersonate-user", options_.impersonate_user);
  for (const std::string& group : options_.impersonate_groups)
    out.headers.add("impersonate-group", group);
  return out;
}

Task<std::string> RemoteClient::send(net::ClientRequest request) {
  CO_TRY(const net::ClientResponse response,
         co_await http_->send(std::move(request), options_.deadline));
  CO_TRY(std::string body, co_await response.body->read_all(kAnswerMax));
  if (response.status >= 200 && response.status < 300) co_return body;
  const Result<json::Value> status = json::parse(body);
  co_return error_from_status(response.status, status ? *status : json::Value());
}

Task<ObjectPtr> RemoteClient::get(Gvr resource, ObjectKey key) {
  CO_TRY(const std::string body, co_await send(request("GET", object_path(resource, key))));
  co_return object_from_answer(body);
}

Task<ObjectList> RemoteClient::list(Gvr resource, ListOptions options) {
  QueryText query;
  query.add("labelSelector", options.label_selector)
      .add("fieldSelector", options.field_selector)
      .add("limit", number(options.limit))
      .add("continue", options.continue_token)
      .add("resourceVersion", options.resource_version);
  CO_TRY(const std::string body,
         co_await send(request("GET", collection_path(resource, options.ns) + query.text())));
  co_return list_from_answer(body);
}

Task<std::unique_ptr<Watch>> RemoteClient::watch(Gvr resource, WatchOptions options) {
  const auto least = std::chrono::duration_cast<std::chrono::seconds>(options_.watch_time);
  const auto lasts =
      least + std::chrono::seconds(rng_.below(uint64_t(std::max<int64_t>(1, least.count()))));
  QueryText query;
  query.add("watch", "true")
      .add("allowWatchBookmarks", "true")
      .add("labelSelector", options.label_selector)
      .add("fieldSelector", options.field_selector)
      .add("resourceVersion", number(options.from.value))
      .add("timeoutSeconds", std::to_string(lasts.count()));
  CO_TRY(net::ClientResponse response,
         co_await http_->send(request("GET", collection_path(resource, options.ns) + query.text()),
                              options_.deadline));
  if (response.status != 200) {
    CO_TRY(const std::string body, co_await response.body->read_all(kEventMax));
    const Result<json::Value> status = json::parse(body);
    co_return error_from_status(response.status, status ? *status : json::Value());
  }
  co_return std::make_unique<RemoteWatch>(timer_, std::move(response.body),
                                          timer_.monotonic() + lasts + kWatchGrace);
}

std::string RemoteClient::write_query(const WriteOptions& options) const {
  QueryText query;
  query.add("fieldManager",
            options.field_manager.empty() ? options_.field_manager : options.field_manager);
  if (options.dry_run) query.add("dryRun", "All");
  return query.text();
}

Task<ObjectPtr> RemoteClient::write(net::ClientRequest request, json::Value document,
                                    std::string content_type) {
  request.headers.add("content-type", std::move(content_type));
  request.body = json::serialize(document);
  CO_TRY(const std::string body, co_await send(std::move(request)));
  co_return object_from_answer(body);
}

Task<ObjectPtr> RemoteClient::create(Gvr resource, std::string ns, json::Value document,
                                     WriteOptions options) {
  std::string path = collection_path(resource, ns);
  if (!options.subresource.empty()) {
    path = object_path(resource, {ns, std::string(json::string_at(document, {"metadata", "name"}))},
                       options.subresource);
  }
  co_return co_await write(request("POST", path + write_query(options)), std::move(document),
                           "application/json");
}

Task<ObjectPtr> RemoteClient::update(Gvr resource, ObjectKey key, json::Value document,
                                     WriteOptions options) {
  const std::string target = object_path(resource, key, options.subresource) + write_query(options);
  co_return co_await write(request("PUT", target), std::move(document), "application/json");
}

Task<ObjectPtr> RemoteClient::patch(Gvr resource, ObjectKey key, PatchType type, json::Value patch,
                                    PatchOptions options) {
  std::string target = object_path(resource, key, options.subresource) + write_query(options);
  if (type == PatchType::kApply && options.force) target += "&force=true";
  co_return co_await write(request("PATCH", std::move(target)), std::move(patch),
                           std::string(content_type(type)));
}

Task<> RemoteClient::remove(Gvr resource, ObjectKey key, DeleteOptions options) {
  json::Object body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!options.propagation.empty()) body["propagationPolicy"] = options.propagation;
  if (options.grace_seconds) body["gracePeriodSeconds"] = *options.grace_seconds;
  json::Object only;
  if (!options.uid.empty()) only["uid"] = options.uid;
  if (options.resource_version)
    only["resourceVersion"] = std::to_string(options.resource_version.value);
  if (!only.empty()) body["preconditions"] = std::move(only);
  net::ClientRequest wanted = request("DELETE", object_path(resource, key));
  wanted.headers.add("content-type", "application/json");
  wanted.body = json::serialize(body);
  CO_TRY_OK(co_await send(std::move(wanted)));
  co_return Unit{};
}

Task<json::Value> RemoteClient::post(Gvr resource, ObjectKey key, std::string subresource,
                                     json::Value document) {
  net::ClientRequest wanted = request("POST", object_path(resource, key, subresource));
  wanted.headers.add("content-type", "application/json");
  wanted.body = json::serialize(document);
  CO_TRY(const std::string body, co_await send(std::move(wanted)));
  co_return document_from_answer(body);
}

}  // namespace atl::api

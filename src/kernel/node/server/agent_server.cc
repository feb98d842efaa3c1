#include "kernel/node/server/agent_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "api/client/status_error.h"
#include "base/io/files.h"
#include "base/observe/log.h"
#include "kernel/node/json_read.h"
#include "kernel/node/pod/pod_status.h"
#include "kernel/node/runtime/oci_spec.h"
#include "kernel/node/server/port_forward.h"
#include "kernel/node/server/stream_session.h"

namespace atl::node {
namespace {

constexpr const char* kJson = "application/json";
constexpr Duration kJustStarted = std::chrono::seconds(30);

Task<> reply(net::Responder& responder, int status, json::Value document) {
  net::Response response;
  response.status = status;
  response.headers = {{"content-type", kJson}};
  response.body = {share(json::serialize(document))};
  co_return co_await responder.send(std::move(response));
}

Task<> reply_text(net::Responder& responder, std::string text) {
  net::Response response;
  response.headers = {{"content-type", "text/plain"}};
  response.body = {share(std::move(text))};
  co_return co_await responder.send(std::move(response));
}

json::Value status_of(const Error& error) {
  return json::Object{{"kind", "Status"},
                      {"apiVersion", "v1"},
                      {"metadata", json::Object{}},
                      {"status", "Failure"},
                      {"message", error.message()},
                      {"reason", api::status_reason(error.code())},
                      {"code", api::http_code(error.code())}};
}

json::Value image_json(const oci::Image& image) {
  return json::Object{{"id", image.id},
                      {"digest", image.digest},
                      {"name", image.name},
                      {"sizeBytes", image.size_bytes}};
}

Result<std::optional<int64_t>> number(const net::Query& query, std::string_view name) {
  if (!query.has(name)) return std::optional<int64_t>();
  const std::string_view text = query.get(name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    return Error(Code::kBadRequest, fmt::format("{} must be a number of at least 0", name));
  }
  return std::optional<int64_t>(value);
}

}  // namespace

Result<LogQuery> log_query(const net::Query& query, WallTime now) {
  LogQuery out;
  out.follow = query.flag("follow");
  out.timestamps = query.flag("timestamps");
  TRY(out.tail_lines, number(query, "tailLines"));
  TRY(out.limit_bytes, number(query, "limitBytes"));
  TRY(const auto since, number(query, "sinceSeconds"));
  if (since) out.since = now - std::min(span_of_seconds(*since), now.time_since_epoch());
  if (query.has("sinceTime")) {
    out.since = parse_rfc3339(query.get("sinceTime"));
    if (!out.since) return Error(Code::kBadRequest, "sinceTime must be a time in RFC 3339");
  }
  return out;
}

Async<void> AgentServer::handle(net::Request request, net::Responder& responder) {
  const bool allowed =
      request.peer.uid && (*request.peer.uid == 0 || *request.peer.uid == parts_.server_uid);
  const std::string path = request.path;
  Result<> outcome = Error(Code::kForbidden, "only root and Atoll's server may ask the node agent");
  if (allowed) outcome = co_await route(request, responder);
  if (outcome || responder.answered()) co_return;
  if (outcome.error().code() == Code::kInternal)
    log::warn("request failed", {{"path", path}, {"error", outcome.error()}});
  (void)co_await reply(responder, api::http_code(outcome.error().code()),
                       status_of(outcome.error()));
}

Task<> AgentServer::route(net::Request& request, net::Responder& responder) {
  std::vector<std::string> path;
  for (std::string_view rest = std::string_view(request.path).substr(1); !rest.empty();) {
    const size_t slash = rest.find('/');
    auto part = net::percent_decode(rest.substr(0, slash));
    if (!part) co_return Error(Code::kBadRequest, "the path holds a bad escape");
    path.push_back(*std::move(part));
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  const std::string verb = path.empty() ? std::string() : path[0];
  const bool get = request.method == "GET";
  if (verb == "healthz" && get) co_return co_await reply_text(responder, "ok");
  if (verb == "pods" && get) co_return co_await reply(responder, 200, pods());
  if (verb == "stats" && get) co_return co_await reply(responder, 200, stats());
  if (verb == "images") co_return co_await images(std::move(request), responder, std::move(path));
  if (path.size() == 4 && verb == "containerLogs" && get) {
    co_return co_await logs(std::move(request), responder, std::move(path));
  }
  if (path.size() == 4 && verb == "exec")
    co_return co_await exec(std::move(request), responder, std::move(path));
  if (path.size() == 4 && verb == "attach")
    co_return co_await attach(std::move(request), responder, std::move(path));
  if (path.size() == 3 && verb == "portForward")
    co_return co_await port_forward(std::move(request), responder, std::move(path));
  co_return Error(Code::kNotFound, "the node agent has no " + request.path);
}

Result<PodAccess> AgentServer::access(const std::vector<std::string>& path, bool previous) const {
  PodWorker* pod = parts_.pods.find(path[1], path[2]);
  if (!pod)
    return Error(Code::kNotFound, fmt::format("pod \"{}\" in namespace \"{}\" is not on this node",
                                              path[2], path[1]));
  return pod->access(path[3], previous);
}

Task<> AgentServer::logs(net::Request request, net::Responder& responder,
                         std::vector<std::string> path) {
  CO_TRY(const net::Query query, net::Query::parse(request.query));
  CO_TRY(LogQuery wanted, log_query(query, parts_.timer.now()));
  CO_TRY(PodAccess found, access(path, query.flag("previous")));
  // Before the head is sent, so that a missing file is an error and not an empty answer.
  const auto readable = io::read_file(found.log_file, 0);
  if (!readable && readable.error().code() == Code::kNotFound) {
    co_return Error(Code::kNotFound, fmt::format("the log of container \"{}\" is gone", path[3]));
  }
  CO_TRY(auto stream, co_await responder.stream(200, {{"content-type", "text/plain"}}));
  net::ResponseStream* const out = stream.get();
  auto read = co_await read_log(
      found.log_file, found.log, wanted, parts_.timer,
      [out](std::string piece) -> Task<> { return out->write(share(std::move(piece))); });
  if (!read) co_return read;
  co_return co_await stream->finish();
}

Task<> AgentServer::exec(net::Request request, net::Responder& responder,
                         std::vector<std::string> path) {
  CO_TRY(const net::Query query, net::Query::parse(request.query));
  CO_TRY(const PodAccess found, access(path, false));
  if (!found.running)
    co_return Error(Code::kBadRequest, fmt::format("container \"{}\" is not running", path[3]));
  std::vector<std::string> command;
  for (const std::string_view word : query.all("command")) command.emplace_back(word);
  if (command.empty())
    co_return Error(Code::kBadRequest, "you must specify at least 1 command for the container");
  CO_TRY(const std::string config, io::read_file(found.bundle + "/config.json"));
  CO_TRY(const json::Value spec, json::parse(config));
  const StreamQuery wanted = stream_query(query);
  ExecRequest exec_request{found.id, found.bundle, exec_process(spec, command, wanted.terminal),
                           wanted.terminal, wanted.with_stdin};
  const auto start = [this, &exec_request] { return parts_.runtime.exec(std::move(exec_request)); };
  co_return co_await serve_exec(parts_.executor, std::move(request), responder, wanted, start);
}

Task<> AgentServer::attach(net::Request request, net::Responder& responder,
                           std::vector<std::string> path) {
  CO_TRY(const net::Query query, net::Query::parse(request.query));
  CO_TRY(const PodAccess found, access(path, false));
  const PodWorker* attached = parts_.pods.find(path[1], path[2]);
  if (!attached || !found.running || !found.log) {
    co_return Error(Code::kBadRequest, fmt::format("container \"{}\" is not running", path[3]));
  }
  StreamQuery wanted = stream_query(query);
  CO_TRY(PodStreams streams, attached->streams(path[3]));
  const ContainerSpec* container = attached->spec().find(path[3]);
  // `kubectl run -i` attaches when the container runs already: what it said until then is for it.
  wanted.replay = container && json::bool_at(container->doc, {"stdin"}) &&
                  parts_.timer.now() - found.started < kJustStarted;
  const auto close_stdin = [this, path] {
    PodWorker* pod = parts_.pods.find(path[1], path[2]);
    const ContainerSpec* spec = pod ? pod->spec().find(path[3]) : nullptr;
    if (spec && json::bool_at(spec->doc, {"stdinOnce"})) pod->close_stdin(path[3]);
  };
  co_return co_await serve_attach(parts_.executor, std::move(request), responder, wanted,
                                  Attached{found, std::move(streams)}, close_stdin);
}

Task<> AgentServer::port_forward(net::Request request, net::Responder& responder,
                                 std::vector<std::string> path) {
  PodWorker* pod = parts_.pods.find(path[1], path[2]);
  if (!pod) {
    co_return Error(
        Code::kNotFound,
        fmt::format("pod \"{}\" in namespace \"{}\" is not on this node", path[2], path[1]));
  }
  const std::string uid = pod->spec().host_network ? std::string() : pod->spec().uid;
  const bool running =
      std::ranges::any_of(pod->spec().containers, [&](const ContainerSpec& container) {
        const auto found = pod->access(container.name, false);
        return found && found->running;
      });
  if (!running) {
    co_return Error(Code::kBadRequest,
                    fmt::format("no container of pod \"{}\" is running", path[2]));
  }
  const DialPort dial = [this, uid](uint16_t port) { return dial_port(uid, port); };
  co_return co_await serve_port_forward(parts_.executor, std::move(request), responder, dial);
}

// The keeper holds the pod's network under its uid.
Task<io::UniqueFd> AgentServer::dial_port(std::string uid, uint16_t port) {
  auto netns = std::make_shared<io::UniqueFd>();
  if (!uid.empty()) {
    CO_TRY(auto held, co_await parts_.runtime.held());
    for (Runtime::Held& one : held) {
      if (one.key == uid) *netns = std::move(one.fd);
    }
    if (!*netns) co_return Error(Code::kUnavailable, "the pod has no network any more");
  }
  co_return co_await parts_.offload.run([netns, port] { return connect_in_netns(*netns, port); });
}

Task<json::Value> AgentServer::list_images() {
  CO_TRY(const auto all, co_await parts_.images.list());
  json::Array out;
  for (const oci::ImageSummary& image : all) {
    json::Array names;
    for (const std::string& name : image.names) names.emplace_back(name);
    out.push_back(json::Object{{"id", image.id},
                               {"digest", image.digest},
                               {"names", std::move(names)},
                               {"sizeBytes", image.size_bytes},
                               {"inUse", image.in_use}});
  }
  co_return json::Value(json::Object{{"images", std::move(out)}});
}

Task<> AgentServer::images(net::Request request, net::Responder& responder,
                           std::vector<std::string> path) {
  CO_TRY(const net::Query query, net::Query::parse(request.query));
  const std::string action = path.size() > 1 ? path[1] : std::string();
  std::string ref(query.get("ref"));
  if (request.method == "GET" && path.size() == 1) {
    CO_TRY(json::Value list, co_await list_images());
    co_return co_await reply(responder, 200, std::move(list));
  }
  if (request.method == "POST" && action == "load") {
    CO_TRY(const auto loaded, co_await parts_.images.load_archive(request.body));
    json::Array out;
    for (const oci::Image& image : loaded) out.push_back(image_json(image));
    co_return co_await reply(responder, 200, json::Object{{"images", std::move(out)}});
  }
  if (request.method == "DELETE") {
    for (size_t i = 1; ref.empty() && i < path.size(); ++i) ref += (i > 1 ? "/" : "") + path[i];
  }
  if (ref.empty()) co_return Error(Code::kBadRequest, "name the image: ?ref=NAME");
  if (request.method == "DELETE") {
    CO_TRY_OK(co_await parts_.images.remove(ref));
    co_return co_await reply(
        responder, 200,
        json::Object{{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}});
  }
  if (request.method == "POST" && action == "pull") {
    oci::PullRequest pull;
    pull.ref = ref;
    pull.policy = oci::PullPolicy::kAlways;
    CO_TRY(const oci::Pulled pulled, co_await parts_.images.ensure(std::move(pull)));
    co_return co_await reply(responder, 200, image_json(pulled.image));
  }
  co_return Error(Code::kMethodNotAllowed, "images know GET, POST load, POST pull and DELETE");
}

json::Value AgentServer::pods() const {
  json::Array items;
  for (PodWorker* pod : parts_.pods.all()) items.push_back(pod->spec().doc);
  return json::Object{{"kind", "PodList"},
                      {"apiVersion", "v1"},
                      {"metadata", json::Object{}},
                      {"items", std::move(items)}};
}

json::Value AgentServer::stats() const {
  const std::string now = rfc3339(parts_.timer.now());
  json::Array out;
  for (PodWorker* pod : parts_.pods.all()) {
    if (!parts_.cgroups) break;
    auto usage = parts_.cgroups->usage(parts_.cgroups->path(pod->spec().uid, {}));
    if (!usage) continue;
    out.push_back(json::Object{
        {"podRef",
         json::Object{
             {"name", pod->spec().name}, {"namespace", pod->spec().ns}, {"uid", pod->spec().uid}}},
        {"startTime", rfc3339(pod->state().start_time)},
        {"cpu", json::Object{{"time", now}, {"usageCoreNanoSeconds", usage->cpu_ns}}},
        {"memory", json::Object{{"time", now}, {"workingSetBytes", usage->memory_bytes}}},
        {"process_stats", json::Object{{"process_count", usage->processes}}}});
  }
  return json::Object{{"node", json::Object{{"nodeName", parts_.node_name}}},
                      {"pods", std::move(out)}};
}

}  // namespace atl::node

#include "kernel/apiserver/agent/pod_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "api/client/status_error.h"
#include "base/net/client.h"
#include "kernel/apiserver/contract/status.h"
#include "kernel/apiserver/subresources/proxy.h"

namespace atl::apiserver {
namespace {

constexpr Duration kHeadDeadline = std::chrono::seconds(30);
// The agent may be killed at any moment, and is back within a tenth of a second.
constexpr Duration kAgentAbsent = std::chrono::seconds(5);
constexpr Duration kAgentPause = std::chrono::milliseconds(50);
constexpr size_t kErrorBytesMax = 64 * 1024;
constexpr size_t kPipeBytes = 32 * 1024;

std::vector<std::string> names_of(const json::Value& pod, std::string_view list) {
  std::vector<std::string> names;
  for (const json::Value& container : json::array_at(pod, {"spec", list})) {
    names.emplace_back(json::string_at(container, {"name"}));
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The query as the kubelet reads it: exec and attach have names of their own for the streams.
std::string forwarded_query(const net::Query& query, std::string_view subresource) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kStreams = {
      {{"stdin", "input"}, {"stdout", "output"}, {"stderr", "error"}, {"tty", "tty"}}};
  std::string out;
  const auto add = [&out](std::string_view name, std::string_view value) {
    out += out.empty() ? '?' : '&';
    out += net::percent_encode(name) + "=" + net::percent_encode(value);
  };
  for (const auto& [name, value] : query.items()) {
    if (name == "container") continue;
    const auto stream = std::find_if(kStreams.begin(), kStreams.end(),
                                     [&](const auto& pair) { return pair.first == name; });
    if (subresource == "log" || stream == kStreams.end()) {
      add(name, value);
    } else if (value == "true" || value == "1" || value.empty()) {
      add(stream->second, "1");
    }
  }
  return out;
}

Result<> check_log_query(const net::Query& query) {
  for (const std::string_view name : {"tailLines", "limitBytes", "sinceSeconds"}) {
    const std::string_view text = query.get(name);
    const bool number =
        text.find_first_not_of("0123456789") == std::string_view::npos && text.size() < 19;
    const bool low = name == "tailLines" ? false : text == "0";
    if (text.empty() || (number && !low)) continue;
    return Error(
        Code::kInvalid,
        fmt::format(
            "PodLogOptions \"\" is invalid: {}: Invalid value: \"{}\": must be greater than 0",
            name, text));
  }
  if (query.has("sinceSeconds") && query.has("sinceTime")) {
    return Error(Code::kInvalid,
                 "PodLogOptions \"\" is invalid: sinceSeconds: Forbidden: at most one of "
                 "`sinceTime` or `sinceSeconds` "
                 "may be specified");
  }
  return Unit{};
}

// What the agent says when it refuses: a Status, or plain words.
Task<Error> refusal(int status, std::shared_ptr<net::BodyReader> body) {
  std::string text;
  if (body) {
    auto read = co_await body->read_all(kErrorBytesMax);
    if (read) text = *std::move(read);
  }
  const auto document = json::parse(text);
  const bool is_status = document && json::string_at(*document, {"kind"}) == "Status";
  if (is_status) co_return Result<Error>(std::in_place, api::error_from_status(status, *document));
  if (text.empty()) text = fmt::format("the node agent answered {}", status);
  const json::Value plain = json::Object{{"message", text}};
  co_return Result<Error>(std::in_place, api::error_from_status(status, plain));
}

Task<> pipe(net::ByteStream& from, net::ByteStream& to) {
  std::array<char, kPipeBytes> buffer;
  for (;;) {
    CO_TRY(const size_t count, co_await from.read_some(buffer));
    if (count == 0) break;
    CO_TRY_OK(co_await to.write(std::string_view(buffer.data(), count)));
  }
  co_return co_await to.shutdown_write();
}

class AgentHook : public ConnectHook {
 public:
  explicit AgentHook(const AgentOptions& options)
      : options_(options),
        client_(net::HttpClient::make(options.executor, options_.timer,
                                      {.unix_path = options.socket})) {}

 protected:
  static std::string path(std::string_view root, const ConnectRequest& request,
                          std::string_view container) {
    return fmt::format("/{}/{}/{}/{}{}", root, net::percent_encode(request.key.ns),
                       net::percent_encode(request.key.name), net::percent_encode(container),
                       forwarded_query(request.query, request.subresource));
  }

  const AgentOptions options_;
  const std::unique_ptr<net::HttpClient> client_;
};

class PodLogHook final : public AgentHook {
 public:
  using AgentHook::AgentHook;
  std::string_view name() const override { return "pod.log"; }

  Task<> connect(ConnectRequest request, net::Responder& responder) override {
    CO_TRY_OK(check_log_query(request.query));
    const json::Value pod = request.parent->parse();
    CO_TRY(const std::string container, choose_container(pod, request.query.get("container")));
    // Nothing ran yet where no node has the pod.
    if (json::string_at(pod, {"spec", "nodeName"}).empty()) {
      co_return co_await responder.send(
          {.status = 200, .headers = {{"content-type", "text/plain"}}});
    }
    CO_TRY(net::ClientResponse answer,
           co_await client_->send({.target = path("containerLogs", request, container)},
                                  kHeadDeadline));
    if (answer.status != 200) {
      CO_TRY(Error error, co_await refusal(answer.status, answer.body));
      co_return std::move(error);
    }
    CO_TRY(auto stream, co_await responder.stream(200, {{"content-type", "text/plain"}}));
    for (;;) {
      CO_TRY(std::string piece, co_await answer.body->read_some());
      if (piece.empty()) break;
      CO_TRY_OK(co_await stream->write(share(std::move(piece))));
    }
    co_return co_await stream->finish();
  }
};

// exec, attach and portForward.
class PodUpgradeHook final : public AgentHook {
 public:
  PodUpgradeHook(const AgentOptions& options, std::string root)
      : AgentHook(options), root_(std::move(root)) {}
  std::string_view name() const override {
    if (root_ == "portForward") return "pod.portforward";
    return root_ == "exec" ? "pod.exec" : "pod.attach";
  }

  Task<> connect(ConnectRequest request, net::Responder& responder) override {
    const json::Value pod = request.parent->parse();
    CO_TRY(std::string target, target_of(pod, request));
    CO_TRY_OK(check(pod, request));
    net::ClientRequest onward{.method = request.http.method, .target = std::move(target)};
    const bool websocket = request.http.headers.get("upgrade") == "websocket";
    for (const auto& [name, value] : request.http.headers.items()) {
      if (websocket && stream_header(name)) onward.headers.add(name, value);
    }
    if (!websocket) {
      // kubectl asks once more, for SPDY, after any refusal: it gets that refusal again.
      CO_TRY(net::ClientResponse answer, co_await client_->send(std::move(onward), kHeadDeadline));
      CO_TRY(Error error, co_await refusal(answer.status, answer.body));
      co_return std::move(error);
    }
    CO_TRY(net::Upgraded agent, co_await upgrade(std::move(onward)));
    if (!agent.stream) {
      CO_TRY(Error error, co_await refusal(agent.status, agent.body));
      co_return std::move(error);
    }
    net::Headers accepted;
    for (const auto& [name, value] : agent.headers.items()) {
      if (stream_header(name)) accepted.add(name, value);
    }
    CO_TRY(const auto client, co_await responder.upgrade(std::move(accepted)));
    using namespace asio::experimental::awaitable_operators;
    // Over when either side is: the other is closed with it.
    auto ended = co_await (pipe(*client, *agent.stream) || pipe(*agent.stream, *client));
    (void)ended;  // how a stream broke is told inside it
    co_return Unit{};
  }

 private:
  static bool stream_header(std::string_view name) {
    return name == "connection" || name == "upgrade" || name.starts_with("sec-websocket-");
  }

  Result<std::string> target_of(const json::Value& pod, const ConnectRequest& request) const {
    if (root_ == "portForward") {  // the pod as a whole
      std::string out = fmt::format("/{}/{}/{}", root_, net::percent_encode(request.key.ns),
                                    net::percent_encode(request.key.name));
      // For clients that do not name the ports inside the stream.
      for (const std::string_view port : request.query.all("ports"))
        out += (out.contains('?') ? "&port=" : "?port=") + net::percent_encode(port);
      return out;
    }
    TRY(const std::string container, choose_container(pod, request.query.get("container")));
    return path(root_, request, container);
  }

  // Nothing of the request has reached an agent that could not be connected to: it is asked again.
  Task<net::Upgraded> upgrade(net::ClientRequest onward) {
    const MonoTime end = options_.timer.monotonic() + kAgentAbsent;
    for (;;) {
      auto agent = co_await client_->upgrade(onward, kHeadDeadline);
      const bool absent = !agent && agent.error().code() == Code::kUnavailable;
      if (!absent || options_.timer.monotonic() >= end) co_return agent;
      const bool slept = co_await options_.timer.sleep_for(kAgentPause);
      if (!slept) co_return agent;
    }
  }

  Result<> check(const json::Value& pod, const ConnectRequest& request) const {
    const std::string_view node = json::string_at(pod, {"spec", "nodeName"});
    if (node.empty()) {
      return Error(Code::kBadRequest,
                   fmt::format("pod {} does not have a host assigned", request.key.name));
    }
    const std::string_view phase = json::string_at(pod, {"status", "phase"});
    if (phase == "Succeeded" || phase == "Failed") {
      return Error(Code::kBadRequest,
                   root_ == "portForward"
                       ? fmt::format("unable to forward port because pod is not running. Current "
                                     "status={}",
                                     phase)
                       : fmt::format("cannot {} into a container in a completed pod; current phase "
                                     "is {}",
                                     root_, phase));
    }
    if (root_ == "exec" && request.query.get("command").empty()) {
      return Error(Code::kBadRequest, "you must specify at least 1 command for the container");
    }
    return Unit{};
  }

  const std::string root_;
};

// nodes/<name>/proxy/...: the agent's own HTTP paths, bodies streamed both ways. Whoever may do
// this may do everything on the node, so RBAC gives it to administrators alone.
class NodeProxyHook final : public AgentHook {
 public:
  using AgentHook::AgentHook;
  std::string_view name() const override { return "node.proxy"; }

  Task<> connect(ConnectRequest request, net::Responder& responder) override {
    net::ClientRequest onward{.method = request.http.method, .target = target_of(request)};
    for (const std::string_view name : {"accept", "content-type"}) {
      const std::string_view value = request.http.headers.get(name);
      if (!value.empty()) onward.headers.add(std::string(name), std::string(value));
    }
    if (onward.method == "POST" || onward.method == "PUT") onward.body_stream = request.http.body;
    CO_TRY(net::ClientResponse answer, co_await client_->send(std::move(onward), kProxyDeadline));
    if (answer.status >= 400) {
      CO_TRY(Error error, co_await refusal(answer.status, answer.body));
      co_return std::move(error);
    }
    std::string type(answer.headers.get("content-type"));
    CO_TRY(auto stream,
           co_await responder.stream(answer.status, {{"content-type", std::move(type)}}));
    for (;;) {
      CO_TRY(std::string piece, co_await answer.body->read_some());
      if (piece.empty()) co_return co_await stream->finish();
      CO_TRY_OK(co_await stream->write(share(std::move(piece))));
    }
  }

 private:
  static constexpr Duration kProxyDeadline = std::chrono::minutes(20);  // an image may be large

  static std::string target_of(const ConnectRequest& request) {
    std::string target = request.rest.starts_with("/") ? request.rest : "/" + request.rest;
    if (!request.http.query.empty()) target += "?" + request.http.query;
    return target;
  }
};

}  // namespace

Result<std::string> choose_container(const json::Value& pod, std::string_view wanted) {
  const auto regular = names_of(pod, "containers");
  const auto init = names_of(pod, "initContainers");
  const auto ephemeral = names_of(pod, "ephemeralContainers");
  const std::string_view name = json::string_at(pod, {"metadata", "name"});
  if (!wanted.empty()) {
    if (contains(regular, wanted) || contains(init, wanted) || contains(ephemeral, wanted))
      return std::string(wanted);
    return Error(Code::kBadRequest,
                 fmt::format("container {} is not valid for pod {}", wanted, name));
  }
  if (regular.size() == 1) return regular[0];
  std::string text = fmt::format("a container name must be specified for pod {}", name);
  if (!regular.empty()) text += fmt::format(", choose one of: [{}]", joined(regular));
  if (!init.empty()) text += fmt::format(" or one of the init containers: [{}]", joined(init));
  if (!ephemeral.empty())
    text += fmt::format(" or one of the ephemeral containers: [{}]", joined(ephemeral));
  return Error(Code::kBadRequest, std::move(text));
}

void add_pod_streams(HookTable& hooks, const AgentOptions& options) {
  hooks.add("", "pods", "log", std::make_unique<PodLogHook>(options));
  hooks.add("", "pods", "exec", std::make_unique<PodUpgradeHook>(options, "exec"));
  hooks.add("", "pods", "attach", std::make_unique<PodUpgradeHook>(options, "attach"));
  hooks.add("", "pods", "portforward", std::make_unique<PodUpgradeHook>(options, "portForward"));
  hooks.add("", "nodes", "proxy", std::make_unique<NodeProxyHook>(options));
  add_proxies(hooks, options.executor, options.timer);
}

}  // namespace atl::apiserver

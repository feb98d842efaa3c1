#include "kernel/node/probe/action.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/net/client.h"
#include "kernel/node/json_read.h"
#include "kernel/node/runtime/oci_spec.h"

namespace atl::node {
namespace {

constexpr size_t kBodyMax = 10 * 1024;

// Reads until the end of the stream, keeping the first `limit` bytes.
Async<void> gather(Executor executor, int fd, std::string& out, size_t limit) {
  if (fd < 0) co_return;
  asio::posix::stream_descriptor descriptor(executor, ::dup(fd));
  char block[4096];
  for (;;) {
    const ssize_t n = ::read(fd, block, sizeof block);
    if (n > 0) {
      out.append(block, std::min(size_t(n), limit - std::min(limit, out.size())));
      continue;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) co_return;
    auto [error] = co_await descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                                  asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
  }
}

std::vector<std::string> words(const json::Array& list) {
  std::vector<std::string> out;
  for (const json::Value& v : list) out.emplace_back(text_of(v));
  return out;
}

class NetworkActions final : public ActionRunner {
 public:
  NetworkActions(Executor executor, Timer& timer, Runtime& runtime)
      : executor_(executor), timer_(timer), runtime_(runtime) {}

  Task<> run(json::Value action, ActionTarget target, Duration timeout) override {
    if (const json::Value* v = json::find(action, {"exec"}))
      co_return co_await exec(*v, std::move(target), timeout);
    if (const json::Value* v = json::find(action, {"httpGet"}))
      co_return co_await http(*v, std::move(target), timeout);
    if (const json::Value* v = json::find(action, {"tcpSocket"}))
      co_return co_await tcp(*v, std::move(target), timeout);
    if (const json::Value* v = json::find(action, {"grpc"}))
      co_return co_await grpc(*v, std::move(target), timeout);
    if (const json::Value* v = json::find(action, {"sleep"})) {
      co_await timer_.sleep_for(span_of_seconds(json::int_at(*v, {"seconds"})));
      co_return Unit{};
    }
    co_return Error(Code::kInvalid, "the manifest names no action that this node knows");
  }

 private:
  Task<> exec(json::Value action, ActionTarget target, Duration timeout) {
    ExecRequest request{target.container_id, target.bundle, std::move(target.process), false,
                        false};
    json::Array args;
    for (const std::string& w : words(json::array_at(action, {"command"}))) args.emplace_back(w);
    json::set(request.process, {"args"}, std::move(args));
    json::set(request.process, {"terminal"}, false);
    CO_TRY(CommandOutcome outcome,
           co_await run_command(executor_, timer_, runtime_, std::move(request), timeout));
    if (outcome.code == 0) co_return Unit{};
    co_return Error(Code::kUnavailable,
                    outcome.output.empty()
                        ? fmt::format("command terminated with exit code {}", outcome.code)
                        : outcome.output);
  }

  Task<> http(json::Value action, ActionTarget target, Duration timeout) {
    const json::Value* port = json::find(action, {"port"});
    if (!port) co_return Error(Code::kInvalid, "httpGet without a port");
    CO_TRY(const uint16_t number, resolve_port(*port, target.container));
    net::Endpoint endpoint;
    endpoint.host = json::string_at(action, {"host"}, target.pod_ip);
    endpoint.port = number;
    endpoint.tls = json::string_at(action, {"scheme"}) == "HTTPS";
    endpoint.insecure_skip_verify =
        true;  // as kubelets do: a probe asks whether it answers, not who it is
    net::ClientRequest request;
    request.target = json::string_at(action, {"path"}, "/");
    if (!request.target.starts_with('/')) request.target.insert(0, "/");
    request.headers.set("user-agent", "kube-probe/1.36");
    request.headers.set("accept", "*/*");
    request.headers.set("connection", "close");
    for (const json::Value& header : json::array_at(action, {"httpHeaders"})) {
      std::string name(json::string_at(header, {"name"}));
      for (char& c : name) c = char(std::tolower(static_cast<unsigned char>(c)));
      request.headers.set(name, std::string(json::string_at(header, {"value"})));
    }
    const std::string url = fmt::format("{}://{}:{}{}", endpoint.tls ? "https" : "http",
                                        endpoint.host, number, request.target);
    const auto client = net::HttpClient::make(executor_, timer_, std::move(endpoint));
    auto response = co_await client->send(std::move(request), timeout);
    if (!response)
      co_return Error(response.error().code(),
                      fmt::format("Get \"{}\": {}", url, response.error().message()));
    // The body is taken so that the application sees a whole exchange.
    if (response->body) (void)co_await response->body->read_all(kBodyMax);
    if (response->status >= 200 && response->status < 400) co_return Unit{};
    co_return Error(Code::kUnavailable,
                    fmt::format("HTTP probe failed with statuscode: {}", response->status));
  }

  Task<> tcp(json::Value action, ActionTarget target, Duration timeout) {
    const json::Value* port = json::find(action, {"port"});
    if (!port) co_return Error(Code::kInvalid, "tcpSocket without a port");
    CO_TRY(const uint16_t number, resolve_port(*port, target.container));
    net::Endpoint endpoint;
    endpoint.host = json::string_at(action, {"host"}, target.pod_ip);
    endpoint.port = number;
    const std::string where = fmt::format("{}:{}", endpoint.host, number);
    auto stream = co_await net::connect(timer_, std::move(endpoint), timeout);
    if (!stream)
      co_return Error(stream.error().code(),
                      fmt::format("dial tcp {}: {}", where, stream.error().message()));
    co_return Unit{};
  }

  Task<> grpc(json::Value, ActionTarget, Duration) {
    co_return Error(Code::kMethodNotAllowed,
                    "gRPC probes are not offered by this node; use httpGet, tcpSocket or exec");
  }

  Executor executor_;
  Timer& timer_;
  Runtime& runtime_;
};

}  // namespace

std::unique_ptr<ActionRunner> make_action_runner(Executor executor, Timer& timer,
                                                 Runtime& runtime) {
  return std::make_unique<NetworkActions>(executor, timer, runtime);
}

Result<uint16_t> resolve_port(const json::Value& port, const json::Value& container) {
  int64_t number = 0;
  if (port.is_number()) {
    number = json::int_at(port, {});
  } else if (port.is_string()) {
    const std::string_view name = port.get_string();
    for (const json::Value& p : json::array_at(container, {"ports"})) {
      if (json::string_at(p, {"name"}) == name) number = json::int_at(p, {"containerPort"});
    }
    if (number == 0) number = std::atoi(std::string(name).c_str());
  }
  if (number < 1 || number > 65'535) {
    return Error(Code::kInvalid, "the container has no port " + json::serialize(port));
  }
  return uint16_t(number);
}

Task<CommandOutcome> run_command(Executor executor, Timer& timer, Runtime& runtime,
                                 ExecRequest request, Duration timeout, size_t limit) {
  using namespace asio::experimental::awaitable_operators;
  CO_TRY(auto session, co_await runtime.exec(std::move(request)));
  CommandOutcome outcome;
  auto all = gather(executor, session->stdout_fd(), outcome.output, limit) &&
             gather(executor, session->stderr_fd(), outcome.output, limit) && session->wait();
  // The two sides of || run side by side; whichever ends first cancels the other.
  auto ended = co_await (std::move(all) || timer.sleep_for(timeout));
  if (ended.index() == 1) {
    session->kill();
    co_return Error(Code::kTimeout,
                    fmt::format("command timed out after {} s",
                                std::chrono::duration_cast<std::chrono::seconds>(timeout).count()));
  }
  outcome.code = std::get<0>(ended);
  co_return std::move(outcome);
}

}  // namespace atl::node

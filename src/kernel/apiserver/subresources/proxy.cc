#include "kernel/apiserver/subresources/proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/net/client.h"

namespace atl::apiserver {
namespace {

constexpr Duration kHeadDeadline = std::chrono::seconds(60);

// Of one connection, or for this server alone.
bool stays_here(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kOurs = {"authorization",
                                                             "connection",
                                                             "content-length",
                                                             "host",
                                                             "keep-alive",
                                                             "proxy-authenticate",
                                                             "te",
                                                             "trailer",
                                                             "transfer-encoding",
                                                             "upgrade",
                                                             "accept-encoding",
                                                             "x-remote-user"};
  return std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end() ||
         name.starts_with("impersonate-") || name.starts_with(":");
}

std::optional<uint16_t> port_number(std::string_view text) {
  uint16_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out == 0) return std::nullopt;
  return out;
}

class ProxyHook final : public ConnectHook {
 public:
  using FindTarget = Result<ProxyTarget> (*)(const json::Value&, std::string_view);
  ProxyHook(std::string name, FindTarget find, Executor executor, Timer& timer)
      : name_(std::move(name)), find_(find), executor_(std::move(executor)), timer_(timer) {}
  std::string_view name() const override { return name_; }

  Task<> connect(ConnectRequest request, net::Responder& responder) override {
    CO_TRY(const ProxyName asked, parse_proxy_name(request.key.name));
    CO_TRY(const ProxyTarget target, find_(request.parent->parse(), asked.port));
    net::Endpoint endpoint;
    endpoint.host = target.host;
    endpoint.port = target.port;
    endpoint.tls = asked.scheme == "https";
    endpoint.insecure_skip_verify = true;
    const auto client = net::HttpClient::make(executor_, timer_, std::move(endpoint));
    auto answered = co_await client->send(onward(request, target), kHeadDeadline);
    if (!answered) {
      co_return Error(Code::kUnavailable,
                      fmt::format("error trying to reach service: {}", answered.error().message()));
    }
    net::ClientResponse answer = *std::move(answered);
    net::Headers headers;
    for (const auto& [name, value] : answer.headers.items()) {
      if (!stays_here(name)) headers.add(name, value);
    }
    CO_TRY(auto stream, co_await responder.stream(answer.status, std::move(headers)));
    for (;;) {
      CO_TRY(std::string piece, co_await answer.body->read_some());
      if (piece.empty()) co_return co_await stream->finish();
      CO_TRY_OK(co_await stream->write(share(std::move(piece))));
    }
  }

 private:
  static net::ClientRequest onward(const ConnectRequest& request, const ProxyTarget& target) {
    net::ClientRequest out;
    out.method = request.http.method;
    out.target = request.rest.starts_with("/") ? request.rest : "/" + request.rest;
    if (!request.http.query.empty()) out.target += "?" + request.http.query;
    for (const auto& [name, value] : request.http.headers.items()) {
      if (!stays_here(name)) out.headers.add(name, value);
    }
    out.headers.add("host", fmt::format("{}:{}", target.host, target.port));
    if (out.method != "GET" && out.method != "HEAD") out.body_stream = request.http.body;
    return out;
  }

  const std::string name_;
  const FindTarget find_;
  Executor executor_;
  Timer& timer_;
};

}  // namespace

Result<ProxyName> parse_proxy_name(std::string_view text) {
  ProxyName out;
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  if (first != last) {
    out.scheme = text.substr(0, first);
    text = text.substr(first + 1);
    if (out.scheme.empty()) out.scheme = "http";
  }
  const size_t colon = text.find(':');
  out.name = text.substr(0, colon);
  if (colon != std::string_view::npos) out.port = text.substr(colon + 1);
  if (out.scheme != "http" && out.scheme != "https")
    return Error(Code::kBadRequest, fmt::format("invalid scheme \"{}\" to proxy to", out.scheme));
  return out;
}

Result<ProxyTarget> pod_target(const json::Value& pod, std::string_view port) {
  ProxyTarget out;
  out.host = json::string_at(pod, {"status", "podIP"});
  if (out.host.empty())
    return Error(Code::kBadRequest, "address not allowed: the pod has none yet");
  for (const json::Value& container : json::array_at(pod, {"spec", "containers"})) {
    for (const json::Value& one : json::array_at(container, {"ports"})) {
      const bool named = !port.empty() && json::string_at(one, {"name"}) == port;
      if (named || (port.empty() && out.port == 0))
        out.port = uint16_t(json::int_at(one, {"containerPort"}));
    }
  }
  if (const auto number = port_number(port)) out.port = *number;
  if (out.port == 0 && port.empty()) out.port = 80;
  if (out.port == 0)
    return Error(Code::kBadRequest, fmt::format("the pod has no port \"{}\"", port));
  return out;
}

Result<ProxyTarget> service_target(const json::Value& service, std::string_view port) {
  ProxyTarget out;
  out.host = json::string_at(service, {"spec", "clusterIP"});
  if (out.host.empty() || out.host == "None") {
    return Error(
        Code::kUnavailable,
        "the Service has no cluster IP: name one of its pods instead (pods/NAME:PORT/proxy)");
  }
  const json::Array& ports = json::array_at(service, {"spec", "ports"});
  for (const json::Value& one : ports) {
    const int64_t number = json::int_at(one, {"port"});
    const bool asked =
        port.empty() ? ports.size() == 1
                     : json::string_at(one, {"name"}) == port || port == std::to_string(number);
    if (asked) out.port = uint16_t(number);
  }
  if (out.port == 0) {
    return Error(Code::kUnavailable,
                 port.empty() ? "the Service has several ports: name one (services/NAME:PORT/proxy)"
                              : fmt::format("no service port \"{}\" found for service \"{}\"", port,
                                            json::string_at(service, {"metadata", "name"})));
  }
  return out;
}

void add_proxies(HookTable& hooks, Executor executor, Timer& timer) {
  hooks.add("", "pods", "proxy",
            std::make_unique<ProxyHook>("pod.proxy", pod_target, executor, timer));
  hooks.add("", "services", "proxy",
            std::make_unique<ProxyHook>("service.proxy", service_target, executor, timer));
}

}  // namespace atl::apiserver

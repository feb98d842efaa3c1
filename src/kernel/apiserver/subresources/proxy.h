#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/async/timer.h"
#include "kernel/apiserver/contract/hooks.h"

namespace atl::apiserver {

// "[scheme:]name[:port]", as it stands in the path of a proxy subresource.
struct ProxyName {
  std::string scheme = "http";
  std::string name;
  std::string port;  // a number or a port's name; empty: the first
};
// kBadRequest where the scheme is neither http nor https.
Result<ProxyName> parse_proxy_name(std::string_view text);

// Where a proxied request goes. Pure. kBadRequest and kUnavailable say why nowhere.
struct ProxyTarget {
  std::string host;
  uint16_t port = 0;
};
Result<ProxyTarget> pod_target(const json::Value& pod, std::string_view port);
Result<ProxyTarget> service_target(const json::Value& service, std::string_view port);

// pods/proxy and services/proxy: HTTP requests handed on to a pod's address or a Service's cluster
// IP, bodies streamed both ways. The caller's credentials stay here; certificates of the other side
// are not checked, as it has none that this server could know. Connections are not upgraded.
void add_proxies(HookTable& hooks, Executor executor, Timer& timer);

}  // namespace atl::apiserver

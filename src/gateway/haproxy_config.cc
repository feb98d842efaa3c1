#include "gateway/haproxy_config.h"

#include <fmt/format.h>

#include <string_view>

namespace atl::gateway {
namespace {

// A page that a person can do something with. `text` may hold HAProxy's %[...]; it is put between
// quotes, so it must not hold any, and its "#" and spaces are safe there.
std::string page(std::string_view title, std::string_view text) {
  return fmt::format(
      "\"<!doctype html><html lang=en><meta charset=utf-8><title>{0}</title>"
      "<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:15vh auto;padding:0 "
      "1em}}</style>"
      "<h1>{0}</h1><p>{1}</p></html>\"",
      title, text);
}

std::string global(const Options& o) {
  return fmt::format(R"(global
  log stdout format raw local0 notice
  maxconn {}
  stats socket {} mode 600 level admin expose-fd listeners
  stats timeout 1m
  hard-stop-after 30s
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
  ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
)",
                     o.max_connections, o.admin_socket());
}

std::string defaults() {
  std::string out = R"(
defaults
  mode http
  log global
  option httplog
  option dontlog-normal
  option redispatch 1
  retries 3
  timeout connect 3s
  timeout http-request 10s
  timeout http-keep-alive 60s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
)";
  const auto error = [&](int status, std::string_view title, std::string_view text) {
    out += fmt::format("  http-error status {} content-type \"text/html\" string {}\n", status,
                       page(title, text));
  };
  error(400, "This request is malformed", "Or its headers are longer than 15 KiB together.");
  error(408, "The request came too slowly", "Its headers must arrive within ten seconds.");
  error(502, "The application broke off its answer",
        "Look at its log: <code>kubectl logs</code> with the name of the pod.");
  error(503, "The application is not ready",
        "No pod of its Service accepts connections. <code>kubectl get pods</code> shows their "
        "state, and "
        "<code>kubectl describe pod</code> with a pod's name the reason.");
  error(504, "The application took too long",
        "It did not answer within a minute. Its log may say why: <code>kubectl logs</code>.");
  return out;
}

// The first certificate is the default. It comes from a list too, which takes its own names from
// it: HAProxy prefers an elliptic certificate that fits by wildcard to an RSA one of the very name.
std::string binds(const Options& o) {
  std::string out;
  for (const std::string& address : o.addresses) {
    // "transparent": the link-local address may come later than we do.
    const std::string_view early = address == "127.0.0.1" ? "" : " transparent";
    out += fmt::format("  bind {}:{}{}\n", address, o.http_port, early);
    out += fmt::format("  bind {}:{}{} ssl crt-list {} crt-list {} alpn h2,http/1.1\n", address,
                       o.https_port, early, o.default_list(), o.certificate_list());
  }
  return out;
}

// Who asked, whatever the request itself claims.
std::string forwarded_headers() {
  return R"(  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto http if !{ ssl_fc }
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request del-header Forwarded
)";
}

std::string look_up(const Options& o) {
  std::string out = R"(  http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub([.]$,)
  http-request return status 400 default-errorfiles if !{ var(txn.host) -m reg ^[a-z0-9._-]*$ }
  http-request set-var(txn.wild) var(txn.host),regsub(^[^.]+,*)
  http-request set-var(txn.path) path
)";
  const auto ask = [&](std::string_view host) {
    constexpr std::string_view kUnset = "if !{ var(txn.to) -m found }";
    out += fmt::format(
        "  http-request set-var(txn.key) {0},concat(,txn.path)\n"
        "  http-request set-var(txn.to) var(txn.key),map_str({1}) {3}\n"
        "  http-request set-var(txn.to) var(txn.key),concat(/),map_beg({2}) {3}\n",
        host, o.exact_map(), o.prefix_map(), kUnset);
  };
  ask("var(txn.host)");
  ask("var(txn.wild)");
  ask("str(-)");
  return out;
}

std::string refusals(const Options& o) {
  std::string out;
  const std::string no_route =
      page("No application answers here",
           "There is no Ingress for <b>%[var(txn.host)]</b> with this path. <code>kubectl get "
           "ingress -A</code> "
           "lists those there are; one whose host is %[var(txn.host)] puts an application here.");
  const std::string gone = page("The application's Service is missing",
                                "The Ingress for <b>%[var(txn.host)]</b> names a Service, or a "
                                "port of one, that does not exist. "
                                "<code>kubectl describe ingress</code> says which.");
  const std::string too_long =
      page("The request is too long",
           fmt::format("Its body is longer than {} bytes. GATEWAY_MAX_BODY_BYTES in atoll.conf "
                       "sets another limit.",
                       o.max_body_bytes));
  out += fmt::format(
      "  http-request return status 413 content-type \"text/html\" lf-string {} if {{ "
      "req.hdr_val(content-length) gt {} }}\n",
      too_long, o.max_body_bytes);
  out += fmt::format(
      "  http-request return status 404 content-type \"text/html\" lf-string {0} if !{{ "
      "var(txn.to) -m found }}\n"
      "  http-request return status 404 content-type \"text/html\" lf-string {0} if {{ var(txn.to) "
      "-m str none }}\n",
      no_route);
  out += fmt::format(
      "  http-request return status 503 content-type \"text/html\" lf-string {} if {{ var(txn.to) "
      "-m str gone }}\n",
      gone);
  out += "  http-request return status 503 default-errorfiles if { var(txn.to) -m str down }\n";
  return out;
}

std::string frontend(const Options& o) {
  std::string out =
      "\nfrontend gateway\n" + binds(o) + forwarded_headers() + look_up(o) + refusals(o);
  const std::string port = o.https_port == 443 ? "" : fmt::format(":{}", o.https_port);
  out += fmt::format(R"(  http-request set-var(txn.flags) var(txn.to),field(3,:)
  http-request set-var(txn.generation) var(txn.to),field(4,:)
  http-request redirect prefix "https://%[var(txn.host)]{}" code 308 if !{{ ssl_fc }} {{ var(txn.flags) -m sub r }}
  http-request set-dst var(txn.to),field(1,:)
  http-request set-dst-port var(txn.to),field(2,:)
  use_backend pods_h2 if {{ var(txn.flags) -m sub h }}
  use_backend pods_once if !{{ method GET HEAD OPTIONS PUT DELETE TRACE }}
  default_backend pods
)",
                     port);
  return out;
}

// Two servers that are the same place: the next try comes at once where there is another server to
// try, and only after a second where there is not.
std::string backend(std::string_view name, std::string_view settings, std::string_view server) {
  return fmt::format(R"(
backend {0}
{1}  server a 0.0.0.0:0 sni var(txn.generation){2}
  server b 0.0.0.0:0 sni var(txn.generation){2}
)",
                     name, settings, server);
}

}  // namespace

std::string haproxy_config(const Options& options) {
  return "# Written by atoll-server at each start; changes are lost.\n" + global(options) +
         defaults() + frontend(options) +
         backend("pods", "  http-reuse always\n  retry-on conn-failure empty-response\n", "") +
         backend("pods_once",
                 "  http-reuse never\n  option http-server-close\n  retry-on conn-failure\n", "") +
         backend("pods_h2", "  http-reuse always\n  retry-on conn-failure\n", " proto h2");
}

}  // namespace atl::gateway

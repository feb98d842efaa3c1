#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/crypto/base64.h"
#include "base/text/json.h"
#include "gateway/routes.h"

namespace atl::gateway {
namespace {

constexpr std::string_view kOldClass = "kubernetes.io/ingress.class";
// Ours, and the one that people bring along.
constexpr std::string_view kRedirects[] = {"gateway.atoll.dev/ssl-redirect",
                                           "nginx.ingress.kubernetes.io/ssl-redirect",
                                           "nginx.ingress.kubernetes.io/force-ssl-redirect"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return out;
}

uint16_t port_at(const json::Value& value, json::Path path) {
  const int64_t number = json::int_at(value, path);
  return number > 0 && number < 65536 ? uint16_t(number) : uint16_t(0);
}

BackendRef backend_of(const json::Value& value) {
  return {.service = std::string(json::string_at(value, {"service", "name"})),
          .port_name = std::string(json::string_at(value, {"service", "port", "name"})),
          .port_number = port_at(value, {"service", "port", "number"}),
          .resource = json::find(value, {"resource"}) != nullptr};
}

// The API has validated; a host that could break out of a map's line must not depend on that.
bool plain_host(std::string_view host) {
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '*';
  });
}

void read_rules(const json::Value& document, IngressInfo& out) {
  for (const json::Value& rule : json::array_at(document, {"spec", "rules"})) {
    const std::string host = lower(json::string_at(rule, {"host"}));
    if (!plain_host(host)) continue;
    out.hosts.insert(host);
    for (const json::Value& path : json::array_at(rule, {"http", "paths"})) {
      const json::Value* backend = json::find(path, {"backend"});
      if (backend == nullptr) continue;
      out.paths.push_back({.host = host,
                           .exact = json::string_at(path, {"pathType"}) == "Exact",
                           .path = std::string(json::string_at(path, {"path"}, "/")),
                           .backend = backend_of(*backend)});
      if (out.paths.back().path.empty()) out.paths.back().path = "/";
    }
  }
}

// An IPv4 address, and nothing besides: whoever may write slices must not write a map's lines.
std::optional<uint32_t> ipv4(std::string_view text) {
  in_addr parsed{};
  const std::string terminated(text);
  const bool whole = text.find('\0') == std::string_view::npos;  // C would stop there
  if (!whole || inet_pton(AF_INET, terminated.c_str(), &parsed) != 1) return std::nullopt;
  return ntohl(parsed.s_addr);
}

// Nor open this host's own loopback and link to everybody.
bool of_a_host(uint32_t ip) {
  const bool loopback = ip >> 24 == 127, link_local = ip >> 16 == 0xa9fe;
  const bool of_nobody = ip >> 24 == 0 || ip >> 28 >= 0xe;  // "this" network; multicast, reserved
  return !loopback && !link_local && !of_nobody;
}

// Ready IPv4 endpoints of a slice; headless Services also need the ports.
struct Slice {
  std::set<std::string> addresses;
  json::Value document;
};

Slice slice_of(const api::Object& object) {
  Slice out{.document = object.parse()};
  if (json::string_at(out.document, {"addressType"}) != "IPv4") return out;
  for (const json::Value& endpoint : json::array_at(out.document, {"endpoints"})) {
    const json::Array& addresses = json::array_at(endpoint, {"addresses"});
    const bool ready = json::bool_at(endpoint, {"conditions", "ready"}, true);
    if (!ready || addresses.empty() || !addresses[0].is_string()) continue;
    const std::string_view address = addresses[0].get_string();
    if (ipv4(address)) out.addresses.emplace(address);
  }
  return out;
}

// The lowest address, so that the choice is the same each time.
void add_endpoints(const Slice& slice, std::map<std::string, std::string>& out) {
  const auto lowest = std::ranges::find_if(
      slice.addresses, [](const std::string& address) { return of_a_host(*ipv4(address)); });
  if (lowest == slice.addresses.end()) return;
  for (const json::Value& port : json::array_at(slice.document, {"ports"})) {
    const uint16_t number = port_at(port, {"port"});
    if (number == 0 || json::string_at(port, {"protocol"}, "TCP") != "TCP") continue;
    std::string& place = out[std::string(json::string_at(port, {"name"}))];
    const std::string candidate = *lowest + ":" + std::to_string(number);
    if (place.empty() || candidate < place) place = candidate;
  }
}

// FNV-1a over the addresses: only ever compared with the one before.
std::string generation_of(const std::set<std::string>& addresses) {
  uint64_t hash = 14695981039346656037u;
  for (const std::string& address : addresses) {
    for (const char c : address + ",") hash = (hash ^ uint8_t(c)) * 1099511628211u;
  }
  return fmt::format("{:x}", uint32_t(hash ^ hash >> 32));
}

}  // namespace

IngressInfo ingress_info(const api::Object& object) {
  const json::Value document = object.parse();
  IngressInfo out{
      .key = object.key(),
      .created = std::string(json::string_at(document, {"metadata", "creationTimestamp"}))};
  const json::Object& annotations = json::object_at(document, {"metadata", "annotations"});
  const auto annotation = [&](std::string_view name) -> std::string_view {
    const json::Value* value = annotations.if_contains(name);
    return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
  };
  if (json::find(document, {"spec", "ingressClassName"}) != nullptr) {
    out.class_name = json::string_at(document, {"spec", "ingressClassName"});
  } else if (!annotation(kOldClass).empty()) {
    out.class_name = annotation(kOldClass);
  }
  for (const std::string_view name : kRedirects) {
    if (annotation(name) == "true") out.to_https = true;
  }
  read_rules(document, out);
  if (const json::Value* backend = json::find(document, {"spec", "defaultBackend"})) {
    out.default_backend = backend_of(*backend);
  }
  for (const json::Value& tls : json::array_at(document, {"spec", "tls"})) {
    IngressTls entry{.secret = std::string(json::string_at(tls, {"secretName"}))};
    for (const json::Value& host : json::array_at(tls, {"hosts"})) {
      const std::string name = host.is_string() ? lower(host.get_string()) : "";
      if (!name.empty() && plain_host(name)) entry.hosts.push_back(name);
    }
    out.tls.push_back(std::move(entry));
  }
  return out;
}

GatewayService gateway_service(const api::Object& service,
                               const std::vector<api::ObjectPtr>& slices) {
  const json::Value document = service.parse();
  GatewayService out;
  out.external = json::string_at(document, {"spec", "type"}) == "ExternalName";
  const std::string_view ip = json::string_at(document, {"spec", "clusterIP"});
  if (ipv4(ip)) out.cluster_ip = ip;
  for (const json::Value& port : json::array_at(document, {"spec", "ports"})) {
    if (json::string_at(port, {"protocol"}, "TCP") != "TCP") continue;
    out.ports.push_back({.name = std::string(json::string_at(port, {"name"})),
                         .number = port_at(port, {"port"}),
                         .http2 = json::string_at(port, {"appProtocol"}) == "kubernetes.io/h2c"});
  }
  std::set<std::string> ready;
  for (const api::ObjectPtr& object : slices) {
    const Slice slice = slice_of(*object);
    ready.insert(slice.addresses.begin(), slice.addresses.end());
    if (out.cluster_ip.empty()) add_endpoints(slice, out.endpoints);
  }
  out.generation = generation_of(ready);
  return out;
}

GatewaySecret gateway_secret(const api::Object& object) {
  const json::Value document = object.parse();
  if (json::string_at(document, {"type"}) != "kubernetes.io/tls") return {};
  const auto chain = crypto::base64_decode(json::string_at(document, {"data", "tls.crt"}));
  const auto key = crypto::base64_decode(json::string_at(document, {"data", "tls.key"}));
  const bool whole = chain && key &&
                     chain->find("-----BEGIN CERTIFICATE-----") != std::string::npos &&
                     key->find("PRIVATE KEY-----") != std::string::npos;
  if (!whole) return {};
  return {.pem = *chain + "\n" + *key + "\n"};
}

}  // namespace atl::gateway

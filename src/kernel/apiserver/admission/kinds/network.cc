#include "kernel/apiserver/admission/kinds/network.h"

#include "kernel/apiserver/admission/address_pool.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

void check_backend(const json::Value& backend, const std::string& path, api::Findings& out) {
  const bool service = json::find(backend, {"service"}) != nullptr;
  const bool resource = json::find(backend, {"resource"}) != nullptr;
  if (service && resource)
    out.push_back(
        invalid_value(path, json::Value(""), "cannot set both resource and service backends"));
  if (!service && !resource)
    out.push_back(required_value(path, "resource or service backend is required"));
  if (!service) return;
  const bool named = !json::string_at(backend, {"service", "port", "name"}).empty();
  const bool numbered = json::int_at(backend, {"service", "port", "number"}) != 0;
  const std::string port = under(path, "service.port");
  if (named == numbered) {
    out.push_back(
        named ? invalid_value(port, json::Value(""), "cannot set both port name & port number")
              : required_value(port, "port name or number is required"));
  }
  check_text(out, under(path, "service.name"), json::string_at(backend, {"service", "name"}),
             api::dns_label);
  check_text(out, under(port, "name"), json::string_at(backend, {"service", "port", "name"}),
             api::port_name);
}

void check_host(std::string_view host, const std::string& path, api::Findings& out) {
  if (host.empty()) return;
  if (parse_ipv4(host) || host.find(':') != std::string_view::npos) {
    out.push_back(invalid_value(path, json::Value(host), "must be a DNS name, not an IP address"));
    return;
  }
  check_text(out, path, host.starts_with("*.") ? host.substr(2) : host, api::dns_subdomain);
}

void check_path(const json::Value& rule, const std::string& path, api::Findings& out) {
  const std::string_view type = json::string_at(rule, {"pathType"});
  const std::string_view text = json::string_at(rule, {"path"});
  const std::string here = under(path, "path");
  if (type == "Exact" || type == "Prefix" || !text.empty()) {
    if (!text.starts_with('/'))
      out.push_back(invalid_value(here, json::Value(text), "must be an absolute path"));
  }
  if (type == "Exact" || type == "Prefix") {
    for (const std::string_view bad : {"//", "/./", "/../", "%2f", "%2F"}) {
      if (text.find(bad) != std::string_view::npos) {
        out.push_back(
            invalid_value(here, json::Value(text), "must not contain '" + std::string(bad) + "'"));
      }
    }
    for (const std::string_view bad : {"/..", "/."}) {
      if (text.ends_with(bad)) {
        out.push_back(
            invalid_value(here, json::Value(text), "cannot end with '" + std::string(bad) + "'"));
        break;
      }
    }
  }
  check_backend(json::object_at(rule, {"backend"}), under(path, "backend"), out);
}

}  // namespace

api::Findings IngressHook::validate(const WriteContext& write) const {
  if (!write.subresource.empty()) return {};
  const json::Value& ingress = *write.object;
  api::Findings out;
  const json::Value* backend = json::find(ingress, {"spec", "defaultBackend"});
  const json::Array& rules = json::array_at(ingress, {"spec", "rules"});
  if (backend == nullptr && rules.empty()) {
    out.push_back(invalid_value("spec", json::object_at(ingress, {"spec"}),
                                "either `defaultBackend` or `rules` must be specified"));
  }
  if (backend != nullptr) check_backend(*backend, "spec.defaultBackend", out);
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string here = at("spec.rules", i);
    check_host(json::string_at(rules[i], {"host"}), under(here, "host"), out);
    const json::Array& paths = json::array_at(rules[i], {"http", "paths"});
    if (json::find(rules[i], {"http"}) != nullptr && paths.empty())
      out.push_back(required_value(under(here, "http.paths")));
    for (size_t j = 0; j < paths.size(); ++j)
      check_path(paths[j], at(under(here, "http.paths"), j), out);
  }
  size_t index = 0;
  for (const json::Value& tls : json::array_at(ingress, {"spec", "tls"})) {
    const std::string here = under(at("spec.tls", index++), "hosts");
    size_t number = 0;
    for (const json::Value& host : json::array_at(tls, {"hosts"})) {
      if (host.is_string()) check_host(host.as_string(), at(here, number++), out);
    }
  }
  check_text(out, "spec.ingressClassName", json::string_at(ingress, {"spec", "ingressClassName"}),
             api::dns_subdomain);
  return out;
}

}  // namespace atl::apiserver

#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "base/text/json.h"

// The API objects that tests of the gateway put, all in the namespace "default".
namespace atl::gateway {

inline json::Value service_document(const std::string& name, const std::string& ip, uint16_t port) {
  return *json::parse(fmt::format(
      R"({{"apiVersion":"v1","kind":"Service","metadata":{{"namespace":"default","name":"{}"}},
        "spec":{{"clusterIP":"{}","ports":[{{"name":"http","port":{}}}]}}}})",
      name, ip, port));
}

inline json::Value slice_document(const std::string& service, const std::string& address) {
  return *json::parse(fmt::format(
      R"({{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{{"namespace":"default",
            "name":"{0}-1","labels":{{"kubernetes.io/service-name":"{0}"}}}},"addressType":"IPv4",
            "endpoints":[{{"addresses":["{1}"]}}],"ports":[{{"name":"http","port":80}}]}})",
      service, address));
}

// Each: path type, path, service.
using IngressPaths = std::vector<std::array<std::string, 3>>;

// `more`: fields of the spec behind its rules, from the comma on.
inline json::Value ingress_document(const std::string& name, const std::string& host,
                                    const IngressPaths& paths, const std::string& more,
                                    const std::string& annotations) {
  std::string list;
  for (const auto& [type, path, service] : paths) {
    list += fmt::format(
        R"({}{{"pathType":"{}","path":"{}","backend":{{"service":{{"name":"{}","port":{{"name":"http"}}}}}}}})",
        list.empty() ? "" : ",", type, path, service);
  }
  return *json::parse(fmt::format(
      R"({{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{{"namespace":"default","name":"{}",
        "uid":"u-{}","creationTimestamp":"2026-01-01T00:00:00Z","annotations":{{{}}}}},"spec":{{"ingressClassName":"atoll",
        "rules":[{{"host":"{}","http":{{"paths":[{}]}}}}]{}}}}})",
      name, name, annotations, host, list, more));
}

}  // namespace atl::gateway

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/object/object.h"
#include "base/core/clock.h"

namespace atl::gateway {

// What Ingresses ask for, and where it leads. Value types and pure functions: the whole meaning of
// an Ingress is in plan(), the rest of the folder only carries it out.

struct BackendRef {
  std::string service;
  std::string port_name;  // or
  uint16_t port_number = 0;
  bool resource = false;  // names another kind than a Service
  bool operator==(const BackendRef&) const = default;
};

struct IngressPath {
  std::string host;  // lower case; "" for a rule without one
  bool exact = false;
  std::string path;
  BackendRef backend;
  bool operator==(const IngressPath&) const = default;
};

struct IngressTls {
  std::string secret;
  std::vector<std::string> hosts;
  bool operator==(const IngressTls&) const = default;
};

struct IngressInfo {
  api::ObjectKey key;
  std::string created;  // RFC 3339, which sorts as text
  std::optional<std::string> class_name;
  std::set<std::string> hosts;  // of rules, with or without paths; "" is one
  std::vector<IngressPath> paths;
  std::optional<BackendRef> default_backend;
  std::vector<IngressTls> tls;
  bool to_https = false;  // by annotation: http is redirected
  bool operator==(const IngressInfo&) const = default;
};

struct GatewayServicePort {
  std::string name;
  uint16_t number = 0;
  bool http2 = false;  // appProtocol kubernetes.io/h2c
  bool operator==(const GatewayServicePort&) const = default;
};

struct GatewayService {
  std::string cluster_ip;  // empty: headless or ExternalName
  bool external = false;
  std::vector<GatewayServicePort> ports;
  // Headless only: one ready endpoint for each port's name, "10.42.0.7:8080".
  std::map<std::string, std::string> endpoints;
  std::string generation;  // stands for the set of ready pods: another set, another text
  bool operator==(const GatewayService&) const = default;
};

// A Secret of type kubernetes.io/tls: certificate chain and key, PEM, one after the other. Empty:
// the Secret holds no such thing.
struct GatewaySecret {
  std::string pem;
  bool operator==(const GatewaySecret&) const = default;
};

struct World {
  std::vector<IngressInfo> ingresses;  // only those of our classes
  std::map<api::ObjectKey, GatewayService> services;
  std::map<api::ObjectKey, GatewaySecret> secrets;
};

struct Certificate {
  std::string pem;
  std::set<std::string> hosts;  // that it is shown for; never empty
  bool operator==(const Certificate&) const = default;
};

struct Problem {
  std::string reason;  // of the Event
  std::string message;
  bool operator==(const Problem&) const = default;
};

struct Plan {
  std::map<std::string, std::string> exact;  // as haproxy_config.h says
  std::map<std::string, std::string> prefix;
  std::map<std::string, Certificate> certificates;          // by file name
  std::map<api::ObjectKey, std::vector<Problem>> problems;  // by Ingress
};

// Conflicts are decided by age: the older Ingress keeps a host and path, then by namespace and
// name.
Plan plan(World world);

IngressInfo ingress_info(const api::Object& object);
GatewayService gateway_service(const api::Object& service,
                               const std::vector<api::ObjectPtr>& slices);
GatewaySecret gateway_secret(const api::Object& object);
// The name of its file: "default_web.pem".
std::string certificate_name(const api::ObjectKey& secret);

}  // namespace atl::gateway

#include <algorithm>
#include <array>
#include <set>

#include "kernel/apiserver/admission/kinds/pod_rules.h"
#include "kernel/apiserver/contract/findings.h"

namespace atl::apiserver {
namespace {

constexpr std::array<std::string_view, 4> kHandlers = {"exec", "httpGet", "tcpSocket", "grpc"};

// Paths of a pod that env can show.
bool known_field_path(std::string_view path) {
  for (const std::string_view known :
       {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
        "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP",
        "status.podIPs", "metadata.labels", "metadata.annotations"}) {
    if (path == known) return true;
  }
  return (path.starts_with("metadata.labels['") || path.starts_with("metadata.annotations['")) &&
         path.ends_with("']");
}

void check_env_source(const json::Value& source, const std::string& path, api::Findings& out) {
  size_t given = 0;
  for (const std::string_view field :
       {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"}) {
    if (json::find(source, {field}) != nullptr) ++given;
  }
  if (given == 0) {
    out.push_back(
        invalid_value(path, json::Value(""),
                      "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                      "`secretKeyRef` or `fileKeyRef`"));
  }
  if (given > 1)
    out.push_back(invalid_value(path, json::Value(""),
                                "may not have more than one field specified at a time"));
  const std::string_view field = json::string_at(source, {"fieldRef", "fieldPath"});
  if (!field.empty() && !known_field_path(field)) {
    out.push_back(invalid_value(
        under(path, "fieldRef.fieldPath"), json::Value(field),
        "error converting fieldPath: field label not supported: " + std::string(field)));
  }
}

void check_env(const json::Value& container, const std::string& path, api::Findings& out) {
  size_t index = 0;
  for (const json::Value& variable : json::array_at(container, {"env"})) {
    const std::string here = at(under(path, "env"), index++);
    const std::string_view name = json::string_at(variable, {"name"});
    if (!std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7f && c != '='; })) {
      out.push_back(invalid_value(under(here, "name"), json::Value(name),
                                  "a valid environment variable name must consist only of "
                                  "printable ASCII characters other than '='"));
    }
    const json::Value* source = json::find(variable, {"valueFrom"});
    if (source == nullptr || !source->is_object()) continue;
    if (!json::string_at(variable, {"value"}).empty()) {
      out.push_back(invalid_value(under(here, "valueFrom"), json::Value(""),
                                  "may not be specified when `value` is not empty"));
    }
    check_env_source(*source, under(here, "valueFrom"), out);
  }
}

void check_ports(const json::Value& container, const json::Value& spec, const std::string& path,
                 api::Findings& out) {
  std::set<std::string> names;
  size_t index = 0;
  for (const json::Value& port : json::array_at(container, {"ports"})) {
    const std::string here = at(under(path, "ports"), index++);
    const std::string name(json::string_at(port, {"name"}));
    check_text(out, under(here, "name"), name, api::port_name);
    if (!name.empty() && !names.insert(name).second)
      out.push_back(duplicate_value(under(here, "name"), json::Value(name)));
    const int64_t host_port = json::int_at(port, {"hostPort"});
    if (json::bool_at(spec, {"hostNetwork"}) &&
        host_port != json::int_at(port, {"containerPort"})) {
      out.push_back(invalid_value(under(here, "hostPort"), host_port,
                                  "must match `containerPort` when `hostNetwork` is true"));
    }
  }
}

void check_handler(const json::Value& handler, const std::string& path, api::Findings& out) {
  size_t given = 0;
  for (const std::string_view kind : kHandlers) {
    if (json::find(handler, {kind}) == nullptr) continue;
    if (++given > 1)
      out.push_back(forbidden_value(under(path, kind), "may not specify more than 1 handler type"));
  }
  if (json::find(handler, {"sleep"}) != nullptr) ++given;
  if (given == 0) out.push_back(required_value(path, "must specify a handler type"));
  if (json::find(handler, {"exec"}) != nullptr &&
      json::array_at(handler, {"exec", "command"}).empty()) {
    out.push_back(required_value(under(path, "exec.command")));
  }
  for (const std::string_view kind : {"httpGet", "tcpSocket"}) {
    const json::Value* port = json::find(handler, {kind, "port"});
    if (port == nullptr) continue;
    const std::string here = under(under(path, kind), "port");
    if (port->is_string()) {
      check_text(out, here, port->as_string(), api::port_name);
    } else if (const int64_t number = json::int_at(handler, {kind, "port"});
               number < 1 || number > 65535) {
      out.push_back(invalid_value(here, *port, "must be between 1 and 65535, inclusive"));
    }
  }
}

void check_probes(const json::Value& container, const std::string& path, api::Findings& out) {
  const bool init = path.find("initContainers[") != std::string::npos &&
                    json::string_at(container, {"restartPolicy"}) != "Always";
  for (const std::string_view name : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const json::Value* probe = json::find(container, {name});
    if (probe == nullptr || !probe->is_object()) continue;
    const std::string here = under(path, name);
    if (init) {
      out.push_back(
          forbidden_value(here, "may not be set for init containers without restartPolicy=Always"));
      continue;
    }
    check_handler(*probe, here, out);
    const int64_t successes = json::int_at(*probe, {"successThreshold"}, 1);
    if (name != "readinessProbe" && successes != 1) {
      out.push_back(invalid_value(under(here, "successThreshold"), successes, "must be 1"));
    }
  }
  for (const std::string_view name : {"postStart", "preStop"}) {
    const json::Value* handler = json::find(container, {"lifecycle", name});
    if (handler == nullptr) continue;
    const std::string here = under(under(path, "lifecycle"), name);
    if (init)
      out.push_back(
          forbidden_value(under(path, "lifecycle"),
                          "may not be set for init containers without restartPolicy=Always"));
    else
      check_handler(*handler, here, out);
  }
}

}  // namespace

void check_container(const json::Value& container, const json::Value& spec, const std::string& path,
                     api::Findings& out) {
  const std::string_view name = json::string_at(container, {"name"});
  check_text(out, under(path, "name"), name, api::dns_label);
  const std::string_view image = json::string_at(container, {"image"});
  if (!image.empty() && (std::isspace(static_cast<unsigned char>(image.front())) != 0 ||
                         std::isspace(static_cast<unsigned char>(image.back())) != 0)) {
    out.push_back(invalid_value(under(path, "image"), json::Value(image),
                                "must not have leading or trailing whitespace"));
  }
  check_env(container, path, out);
  check_ports(container, spec, path, out);
  check_probes(container, path, out);
  if (const json::Value* resources = json::find(container, {"resources"}))
    check_resources(*resources, under(path, "resources"), out);
  if (json::bool_at(container, {"securityContext", "privileged"}) &&
      !json::bool_at(container, {"securityContext", "allowPrivilegeEscalation"}, true)) {
    out.push_back(invalid_value(
        under(path, "securityContext"), json::object_at(container, {"securityContext"}),
        "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  }
}

}  // namespace atl::apiserver

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "kernel/apiserver/admission/pod_security_rules.h"

namespace atl::apiserver {
namespace {

using Names = std::vector<std::string>;

constexpr std::string_view kDefaultCapabilities[] = {
    "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",      "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT"};
constexpr std::string_view kSafeSysctls[] = {"kernel.shm_rmid_forced",
                                             "net.ipv4.ip_local_port_range",
                                             "net.ipv4.tcp_syncookies",
                                             "net.ipv4.ping_group_range",
                                             "net.ipv4.ip_unprivileged_port_start",
                                             "net.ipv4.ip_local_reserved_ports",
                                             "net.ipv4.tcp_keepalive_time",
                                             "net.ipv4.tcp_fin_timeout",
                                             "net.ipv4.tcp_keepalive_intvl",
                                             "net.ipv4.tcp_keepalive_probes",
                                             "net.ipv4.tcp_rmem",
                                             "net.ipv4.tcp_wmem"};
constexpr std::string_view kSeLinuxTypes[] = {"", "container_t", "container_init_t",
                                              "container_kvm_t", "container_engine_t"};

template <class List>
bool one_of(const List& list, std::string_view item) {
  return std::ranges::find(list, item) != std::end(list);
}

Names sorted(const std::set<std::string>& set) {
  return {set.begin(), set.end()};
}

std::string plural(std::string_view one, std::string_view many, size_t count) {
  return std::string(count == 1 ? one : many);
}

void check_capabilities(const json::Value& spec, SecurityFindings& out) {
  std::set<std::string> found;
  const Names bad = containers_where(spec, [&](const json::Value& container) {
    bool any = false;
    for (const json::Value& capability :
         json::array_at(container, {"securityContext", "capabilities", "add"})) {
      if (!capability.is_string() || one_of(kDefaultCapabilities, capability.as_string())) continue;
      found.emplace(capability.as_string());
      any = true;
    }
    return any;
  });
  if (bad.empty()) return;
  out.push_back({"non-default capabilities",
                 fmt::format("{} must not include {} in securityContext.capabilities.add",
                             containers_text(bad), quoted_list(sorted(found)))});
}

void check_host_namespaces(const json::Value& spec, SecurityFindings& out) {
  Names set;
  for (const std::string_view field : {"hostNetwork", "hostPID", "hostIPC"}) {
    if (json::bool_at(spec, {field})) set.push_back(std::string(field) + "=true");
  }
  if (!set.empty()) out.push_back({"host namespaces", fmt::format("{}", fmt::join(set, ", "))});
}

void check_host_paths(const json::Value& spec, SecurityFindings& out) {
  Names volumes;
  for (const json::Value& volume : json::array_at(spec, {"volumes"})) {
    if (json::find(volume, {"hostPath"}) != nullptr)
      volumes.emplace_back(json::string_at(volume, {"name"}));
  }
  if (volumes.empty()) return;
  out.push_back(
      {"hostPath volumes", plural("volume ", "volumes ", volumes.size()) + quoted_list(volumes)});
}

void check_host_ports(const json::Value& spec, SecurityFindings& out) {
  std::set<std::string> ports;
  const Names bad = containers_where(spec, [&](const json::Value& container) {
    bool any = false;
    for (const json::Value& port : json::array_at(container, {"ports"})) {
      const int64_t number = json::int_at(port, {"hostPort"});
      if (number == 0) continue;
      ports.insert(std::to_string(number));
      any = true;
    }
    return any;
  });
  if (bad.empty()) return;
  out.push_back(
      {"hostPort",
       fmt::format("{} {} {} {}", containers_text(bad), plural("uses", "use", bad.size()),
                   plural("hostPort", "hostPorts", ports.size()), fmt::join(ports, ", "))});
}

void check_probe_hosts(const json::Value& spec, SecurityFindings& out) {
  std::set<std::string> hosts;
  const Names bad = containers_where(spec, [&](const json::Value& container) {
    std::set<std::string> own;
    for (const std::string_view action : {"httpGet", "tcpSocket"}) {
      for (const std::string_view probe : {"livenessProbe", "readinessProbe", "startupProbe"}) {
        own.emplace(json::string_at(container, {probe, action, "host"}));
      }
      for (const std::string_view moment : {"postStart", "preStop"}) {
        own.emplace(json::string_at(container, {"lifecycle", moment, action, "host"}));
      }
    }
    own.erase("");
    hosts.insert(own.begin(), own.end());
    return !own.empty();
  });
  if (bad.empty()) return;
  out.push_back(
      {"probe or lifecycle host",
       fmt::format("{} {} {} {}", containers_text(bad), plural("uses", "use", bad.size()),
                   plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.size()),
                   quoted_list(sorted(hosts)))});
}

void check_privileged(const json::Value& spec, SecurityFindings& out) {
  const Names bad = containers_where(spec, [](const json::Value& c) {
    return json::bool_at(c, {"securityContext", "privileged"});
  });
  if (!bad.empty())
    out.push_back(
        {"privileged", containers_text(bad) + " must not set securityContext.privileged=true"});
}

void check_proc_mount(const json::Value& spec, SecurityFindings& out) {
  if (!json::bool_at(spec, {"hostUsers"}, true)) return;  // a user namespace keeps it harmless
  const Names bad = containers_where(spec, [](const json::Value& container) {
    return json::string_at(container, {"securityContext", "procMount"}, "Default") != "Default";
  });
  if (!bad.empty())
    out.push_back({"procMount", containers_text(bad) +
                                    " must not set securityContext.procMount to \"Unmasked\""});
}

void check_app_armor(const json::Value& metadata, const json::Value& spec, SecurityFindings& out) {
  const auto bad_type = [](const json::Value& holder) {
    const std::string_view type =
        json::string_at(holder, {"securityContext", "appArmorProfile", "type"}, "RuntimeDefault");
    return type != "RuntimeDefault" && type != "Localhost";
  };
  const bool pod = bad_type(spec);
  const Names bad = containers_where(spec, bad_type);
  if (pod || !bad.empty()) {
    out.push_back(
        {"forbidden AppArmor profile",
         setters_text(pod, bad) + " must not set AppArmor profile type to \"Unconfined\""});
  }
  constexpr std::string_view kAnnotation = "container.apparmor.security.beta.kubernetes.io/";
  for (const auto& [key, value] : json::object_at(metadata, {"annotations"})) {
    if (!std::string_view(key).starts_with(kAnnotation) || !value.is_string()) continue;
    const std::string_view profile = value.as_string();
    if (profile.empty() || profile == "runtime/default" || profile.starts_with("localhost/"))
      continue;
    out.push_back(
        {"forbidden AppArmor profile",
         fmt::format("annotation must not set AppArmor profile type to \"{}\"", profile)});
  }
}

void check_se_linux(const json::Value& spec, SecurityFindings& out) {
  std::set<std::string> types;
  bool identity = false;
  const auto bad_options = [&](const json::Value& holder) {
    const std::string_view type =
        json::string_at(holder, {"securityContext", "seLinuxOptions", "type"});
    const bool named =
        !json::string_at(holder, {"securityContext", "seLinuxOptions", "user"}).empty() ||
        !json::string_at(holder, {"securityContext", "seLinuxOptions", "role"}).empty();
    const bool foreign = !one_of(kSeLinuxTypes, type);
    if (foreign) types.emplace(type);
    identity = identity || named;
    return named || foreign;
  };
  const bool pod = bad_options(spec);
  const Names bad = containers_where(spec, bad_options);
  if (!pod && bad.empty()) return;
  Names data;
  if (!types.empty())
    data.push_back(plural("type ", "types ", types.size()) + quoted_list(sorted(types)));
  if (identity) data.emplace_back("user or role may not be set");
  out.push_back(
      {"seLinuxOptions", fmt::format("{} set forbidden securityContext.seLinuxOptions: {}",
                                     setters_text(pod, bad), fmt::join(data, "; "))});
}

void check_seccomp(const json::Value& spec, SecurityFindings& out) {
  const auto unconfined = [](const json::Value& holder) {
    return json::string_at(holder, {"securityContext", "seccompProfile", "type"}) == "Unconfined";
  };
  const bool pod = unconfined(spec);
  const Names bad = containers_where(spec, unconfined);
  if (!pod && bad.empty()) return;
  out.push_back({"seccompProfile",
                 setters_text(pod, bad) +
                     " must not set securityContext.seccompProfile.type to \"Unconfined\""});
}

void check_sysctls(const json::Value& spec, SecurityFindings& out) {
  Names bad;
  for (const json::Value& sysctl : json::array_at(spec, {"securityContext", "sysctls"})) {
    const std::string_view name = json::string_at(sysctl, {"name"});
    if (!one_of(kSafeSysctls, name)) bad.emplace_back(name);
  }
  if (!bad.empty()) out.push_back({"forbidden sysctls", fmt::format("{}", fmt::join(bad, ", "))});
}

void check_host_process(const json::Value& spec, SecurityFindings& out) {
  const auto set = [](const json::Value& holder) {
    return json::bool_at(holder, {"securityContext", "windowsOptions", "hostProcess"});
  };
  const bool pod = set(spec);
  const Names bad = containers_where(spec, set);
  if (!pod && bad.empty()) return;
  out.push_back(
      {"hostProcess",
       setters_text(pod, bad) + " must not set securityContext.windowsOptions.hostProcess=true"});
}

}  // namespace

std::string quoted_list(const Names& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "\"" : ", \"") + item + "\"";
  return out;
}

std::string containers_text(const Names& names) {
  return (names.size() == 1 ? "container " : "containers ") + quoted_list(names);
}

std::string setters_text(bool pod, const Names& containers) {
  if (containers.empty()) return "pod";
  return (pod ? "pod and " : "") + containers_text(containers);
}

void check_baseline(const json::Value& metadata, const json::Value& spec, bool restricted,
                    SecurityFindings& out) {
  check_app_armor(metadata, spec, out);
  if (!restricted) check_capabilities(spec, out);
  check_host_namespaces(spec, out);
  if (!restricted) check_host_paths(spec, out);
  check_host_ports(spec, out);
  check_probe_hosts(spec, out);
  check_privileged(spec, out);
  check_proc_mount(spec, out);
  check_se_linux(spec, out);
  if (!restricted) check_seccomp(spec, out);
  check_sysctls(spec, out);
  check_host_process(spec, out);
}

std::string security_violations(SecurityLevel level, const json::Value& metadata,
                                const json::Value& spec) {
  SecurityFindings findings;
  if (level == SecurityLevel::kPrivileged) return {};
  check_baseline(metadata, spec, level == SecurityLevel::kRestricted, findings);
  if (level == SecurityLevel::kRestricted) check_restricted(spec, findings);
  std::string out;
  for (const SecurityFinding& finding : findings) {
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", finding.reason, finding.detail);
  }
  return out;
}

}  // namespace atl::apiserver

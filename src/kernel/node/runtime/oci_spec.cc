#include "kernel/node/runtime/oci_spec.h"

#include <algorithm>

#include "kernel/node/runtime/seccomp.h"

namespace atl::node {
namespace {

json::Array texts(const std::vector<std::string>& values) {
  json::Array out;
  for (const std::string& v : values) out.emplace_back(v);
  return out;
}

json::Value mount(const Mount& m) {
  return json::Object{{"destination", m.destination},
                      {"type", m.type},
                      {"source", m.source},
                      {"options", texts(m.options)}};
}

json::Array standard_mounts(const ContainerPlan& plan) {
  const bool writable_kernel = plan.security.privileged;
  std::vector<Mount> all = {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"/dev/shm",
       "tmpfs",
       "shm",
       {"nosuid", "noexec", "nodev", "mode=1777", "size=" + std::to_string(plan.shm_bytes)}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
  };
  // sysfs belongs to the network namespace: with the host's, the kernel lets only a bind mount be
  // made.
  if (plan.netns.empty()) {
    all.push_back({"/sys",
                   "bind",
                   "/sys",
                   {"rbind", "nosuid", "noexec", "nodev", writable_kernel ? "rw" : "ro"}});
  } else {
    all.push_back(
        {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", writable_kernel ? "rw" : "ro"}});
    const std::string mode = writable_kernel ? "rw" : "ro";
    if (plan.cgroups.empty()) {
      all.push_back(
          {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", mode}});
    } else {
      all.push_back({"/sys/fs/cgroup",
                     "tmpfs",
                     "tmpfs",
                     {"nosuid", "noexec", "nodev", "mode=755", "size=64k", mode}});
    }
    for (const Mount& m : plan.cgroups) {
      all.push_back(m);
      all.back().options.push_back(mode);
    }
  }
  json::Array out;
  for (const Mount& m : all) out.push_back(mount(m));
  // Parents before children, whatever the order in the manifest.
  std::vector<Mount> volumes = plan.mounts;
  const auto depth = [](const Mount& m) {
    return std::count(m.destination.begin(), m.destination.end(), '/');
  };
  std::sort(volumes.begin(), volumes.end(), [&](const Mount& a, const Mount& b) {
    return std::pair(depth(a), a.destination) < std::pair(depth(b), b.destination);
  });
  for (const Mount& m : volumes) {
    // A volume on /dev/shm takes the place of ours.
    out.erase(std::remove_if(out.begin(), out.end(),
                             [&](const json::Value& o) {
                               return json::string_at(o, {"destination"}) == m.destination;
                             }),
              out.end());
    out.push_back(mount(m));
  }
  return out;
}

json::Object capabilities(const Security& security) {
  json::Array all;
  for (const std::string& c : security.capabilities) all.emplace_back(c);
  json::Object out{{"bounding", all}, {"permitted", all}, {"effective", all}};
  return out;
}

json::Object process(const ContainerPlan& plan) {
  const Security& s = plan.security;
  json::Array groups;
  for (const uint32_t g : s.user.groups) groups.emplace_back(g);
  json::Object user{{"uid", s.user.uid}, {"gid", s.user.gid}};
  if (!groups.empty()) user["additionalGids"] = std::move(groups);
  return {{"terminal", plan.terminal},
          {"user", std::move(user)},
          {"args", texts(plan.args)},
          {"env", texts(plan.env)},
          {"cwd", plan.cwd},
          {"capabilities", capabilities(s)},
          {"noNewPrivileges", s.no_new_privileges},
          {"oomScoreAdj", plan.oom_score}};
}

json::Array namespaces(const ContainerPlan& plan) {
  json::Array out{json::Object{{"type", "mount"}}, json::Object{{"type", "uts"}},
                  json::Object{{"type", "cgroup"}}};
  if (plan.netns.empty()) out.erase(out.begin() + 1);  // the host's name with the host's network
  if (!plan.host_ipc) out.push_back(json::Object{{"type", "ipc"}});
  if (!plan.netns.empty()) out.push_back(json::Object{{"type", "network"}, {"path", plan.netns}});
  if (!plan.pid_namespace_of.empty()) {
    out.push_back(json::Object{{"type", "pid"}, {"path", plan.pid_namespace_of}});
  } else if (!plan.host_pid) {
    out.push_back(json::Object{{"type", "pid"}});
  }
  return out;
}

json::Object resources(const ContainerPlan& plan) {
  const ContainerResources& r = plan.resources;
  json::Object cpu{{"shares", r.cpu_shares}};
  if (r.cpu_quota_us) cpu["quota"] = *r.cpu_quota_us, cpu["period"] = r.cpu_period_us;
  json::Object out{{"cpu", std::move(cpu)}};
  if (r.memory_limit) out["memory"] = json::Object{{"limit", *r.memory_limit}};
  if (plan.pids_limit > 0) out["pids"] = json::Object{{"limit", plan.pids_limit}};
  if (plan.security.privileged)
    out["devices"] = json::Array{json::Object{{"allow", true}, {"access", "rwm"}}};
  else
    out["devices"] = json::Array{json::Object{{"allow", false}, {"access", "rwm"}}};
  return out;
}

const char* const kMasked[] = {"/proc/asound",
                               "/proc/acpi",
                               "/proc/kcore",
                               "/proc/keys",
                               "/proc/latency_stats",
                               "/proc/timer_list",
                               "/proc/timer_stats",
                               "/proc/sched_debug",
                               "/proc/scsi",
                               "/sys/firmware",
                               "/sys/devices/virtual/powercap"};
const char* const kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                 "/proc/sysrq-trigger"};

template <size_t N>
json::Array list(const char* const (&values)[N]) {
  json::Array out;
  for (const char* v : values) out.emplace_back(v);
  return out;
}

}  // namespace

json::Value oci_spec(const ContainerPlan& plan) {
  json::Object linux{{"cgroupsPath", plan.cgroup},
                     {"namespaces", namespaces(plan)},
                     {"resources", resources(plan)}};
  if (plan.security.masked_paths)
    linux["maskedPaths"] = list(kMasked), linux["readonlyPaths"] = list(kReadOnly);
  if (plan.security.seccomp) linux["seccomp"] = default_seccomp(plan.security.capabilities);
  if (!plan.sysctls.empty()) {
    json::Object sysctls;
    for (const auto& [name, value] : plan.sysctls) sysctls[name] = value;
    linux["sysctl"] = std::move(sysctls);
  }
  json::Object out{
      {"ociVersion", "1.0.2"},
      {"process", process(plan)},
      {"root", json::Object{{"path", "rootfs"}, {"readonly", plan.security.read_only_root}}},
      {"mounts", standard_mounts(plan)},
      {"linux", std::move(linux)}};
  if (!plan.netns.empty()) out["hostname"] = plan.hostname;
  if (!plan.stop_signal.empty()) out["annotations"] = json::Object{{kStopSignal, plan.stop_signal}};
  return out;
}

// By bind mounts and not by crun's own "cgroup": that would show the host's root of every hierarchy
// in which the container has no group.
std::vector<Mount> cgroup_mounts(const std::vector<Cgroups::View>& views) {
  std::vector<Mount> out;
  for (const Cgroups::View& v : views) {
    out.push_back({"/sys/fs/cgroup/" + v.name,
                   "bind",
                   v.folder,
                   {"bind", "rprivate", "nosuid", "noexec", "nodev"}});
  }
  return out;
}

json::Value exec_process(const json::Value& container_spec, const std::vector<std::string>& args,
                         bool terminal) {
  json::Value out = json::object_at(container_spec, {"process"});
  out.as_object()["args"] = texts(args);
  out.as_object()["terminal"] = terminal;
  return out;
}

Result<std::map<std::string, std::string>> safe_sysctls(const PodSpec& pod) {
  static const char* const kSafe[] = {"kernel.shm_rmid_forced",
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
  std::map<std::string, std::string> out;
  // A pod's network is its own: what needs no rights there is left to every user, as other engines
  // do.
  if (!pod.host_network) {
    out["net.ipv4.ip_unprivileged_port_start"] = "0";
    out["net.ipv4.ping_group_range"] = "0 2147483647";
  }
  for (const json::Value& entry : json::array_at(pod.doc, {"spec", "securityContext", "sysctls"})) {
    const std::string name(json::string_at(entry, {"name"}));
    const bool known = std::find(std::begin(kSafe), std::end(kSafe), name) != std::end(kSafe);
    if (!known || pod.host_network)
      return Error(Code::kInvalid, "forbidden sysctl: \"" + name + "\" is not allowlisted");
    out[name] = json::string_at(entry, {"value"});
  }
  return out;
}

}  // namespace atl::node

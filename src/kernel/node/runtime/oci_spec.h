#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/text/json.h"
#include "kernel/node/pod/resources.h"
#include "kernel/node/runtime/cgroups.h"
#include "kernel/node/runtime/security.h"

// The one place where a container becomes an OCI runtime spec (config.json), whatever engine reads
// it.
namespace atl::node {

struct Mount {
  std::string destination;
  std::string type = "bind";
  std::string source;
  std::vector<std::string> options;
  bool operator==(const Mount&) const = default;
};

struct ContainerPlan {
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  std::string hostname;
  bool terminal = false;
  Security security;
  ContainerResources resources;
  int oom_score = 1'000;
  int64_t pids_limit = 0;        // 0: unlimited
  std::string cgroup;            // "/atoll/pod<uid>/<container>"
  std::vector<Mount> cgroups;    // what stands in /sys/fs/cgroup; empty: the v2 tree
  std::vector<Mount> mounts;     // volumes and files of the pod
  std::string netns;             // path; empty: the host's
  std::string pid_namespace_of;  // "/proc/PID/ns/pid"; empty: a new one
  bool host_pid = false;
  bool host_ipc = false;
  std::map<std::string, std::string> sysctls;
  int64_t shm_bytes = 64 << 20;
  std::string stop_signal;  // of the image; stands in the annotation kStopSignal
};

inline constexpr std::string_view kStopSignal = "org.opencontainers.image.stopSignal";

json::Value oci_spec(const ContainerPlan& plan);

std::vector<Mount> cgroup_mounts(const std::vector<Cgroups::View>& views);

// The process part for an exec into a container: as the container's own, with other arguments.
json::Value exec_process(const json::Value& container_spec, const std::vector<std::string>& args,
                         bool terminal);

// Only sysctls that belong to a namespace of the pod and cannot hurt others; kInvalid names the
// first that is not.
Result<std::map<std::string, std::string>> safe_sysctls(const PodSpec& pod);

}  // namespace atl::node

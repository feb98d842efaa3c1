#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/core/result.h"

namespace atl::node {

struct CgroupUsage {
  uint64_t cpu_ns = 0;
  uint64_t memory_bytes = 0;  // working set: without inactive file pages
  std::optional<uint64_t> memory_limit;
  uint64_t processes = 0;
};

// The control groups of this instance, all below /<instance> (in each v1 hierarchy, or in the v2
// tree). Never touches others. Blocking, microseconds; any thread.
class Cgroups {
 public:
  // What the machine has mounted: v2 alone, or controllers on v1 ("hybrid" or "legacy").
  enum class Layout : uint8_t { kUnified, kLegacy };

  static Result<Cgroups> open(std::string instance, std::string mount = "/sys/fs/cgroup");

  Layout layout() const { return layout_; }
  // Folders of a container's group for its own /sys/fs/cgroup/<name>: v1 only.
  struct View {
    std::string name;  // "memory", "cpu,cpuacct", "cpu"
    std::string folder;
  };
  std::vector<View> views(const std::string& path) const;
  // "/<instance>/pod<uid>/<container>": cgroupsPath of the OCI spec.
  std::string path(const std::string& pod_uid, const std::string& container) const;

  // Over all containers of a pod; 0: none.
  struct PodLimits {
    int64_t memory_bytes = 0;
    uint64_t cpu_shares = 0;
    int64_t cpu_quota_us = 0;  // in each period
    uint64_t cpu_period_us = 100'000;
    int64_t processes = 0;  // threads count
  };
  // The pod's own group; there already: its limits are set anew. A limit whose controller the
  // machine has not is left out; one that the kernel refuses is an error.
  Result<> make_pod(const std::string& pod_uid, PodLimits limits) const;
  // The pod's and what is left below it; kConflict while something runs there.
  Result<> remove_pod(const std::string& pod_uid) const;
  // Everything of the instance, for --reset: ends its processes (kUnavailable where some will not
  // end), removes its groups.
  Result<> kill_all() const;
  Result<> remove_all() const;

  // The first process to be moved into a group waits until the kernel has seen every CPU pass by
  // (10 ms or more); those that follow within the same time do not. This is such a move, of the
  // caller's process to where it is: begun when a container is about to be made, it has the wait
  // over with when the container's turn comes. Waits itself.
  void expect_attach() const;

  // How often the kernel killed for want of memory there; 0 where it cannot tell.
  uint64_t oom_kills(const std::string& path) const;
  Result<CgroupUsage> usage(const std::string& path) const;
  std::vector<int> processes(const std::string& path) const;

 private:
  Result<> limit_cpu_time(const std::string& cpu, const PodLimits& limits) const;
  std::vector<std::string> folders(const std::string& path) const;
  std::string folder(const std::string& controller, const std::string& path) const;

  std::string mount_;
  std::string instance_;
  Layout layout_ = Layout::kUnified;
  std::vector<std::string> hierarchies_;  // v1: folder names below mount_; v2: ""
  std::vector<View> shown_;               // v1: to containers, with the roots' folders
};

// For a pod where nobody says otherwise: one cannot take all process ids of the machine.
int64_t default_process_limit();

}  // namespace atl::node

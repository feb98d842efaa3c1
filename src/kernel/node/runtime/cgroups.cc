#include "kernel/node/runtime/cgroups.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/io/files.h"
#include "base/io/unique_fd.h"

namespace atl::node {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFileMax = 1 << 20;
constexpr int kKillRounds = 100;
constexpr int kKillPauseUs = 20'000;

std::string read(const std::string& file) {
  auto text = io::read_file(file, kFileMax);
  return text ? *std::move(text) : std::string();
}

std::optional<uint64_t> number_in(const std::string& file) {
  const std::string text = read(file);
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  return std::strtoull(text.c_str(), nullptr, 10);
}

// The number after "key " at the start of a line.
std::optional<uint64_t> keyed(const std::string& file, const std::string& key) {
  const std::string text = "\n" + read(file);
  const size_t at = text.find("\n" + key + " ");
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(text.c_str() + at + key.size() + 2, nullptr, 10);
}

std::vector<int> numbers(const std::string& text) {
  std::vector<int> out;
  for (const char* p = text.c_str(); *p;) {
    char* end = nullptr;
    const long pid = std::strtol(p, &end, 10);
    if (end == p) break;
    if (pid > 0) out.push_back(int(pid));
    p = *end ? end + 1 : end;
  }
  return out;
}

// Control files cannot be replaced by rename: written in place.
Result<> write(const std::string& file, const std::string& value) {
  const io::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return io::errno_error("open " + file, errno);
  if (::write(fd.get(), value.data(), value.size()) != ssize_t(value.size()))
    return io::errno_error("write " + value + " to " + file, errno);
  return Unit{};
}

// Where the controller is absent its file is.
Result<> set_limit(const std::string& file, const std::string& value) {
  auto done = write(file, value);
  if (!done && done.error().code() == Code::kNotFound) return Unit{};
  return done;
}

// Folders only: files of a cgroup go with it. Deepest first.
Result<> remove_tree(const std::string& root) {
  std::error_code ignored;
  std::vector<std::string> all;
  for (auto it = fs::recursive_directory_iterator(root, ignored);
       !ignored && it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    if (it->is_directory(ignored)) all.push_back(it->path().string());
  }
  std::sort(all.rbegin(), all.rend());
  all.push_back(root);
  for (const std::string& path : all) {
    if (::rmdir(path.c_str()) < 0 && errno != ENOENT) {
      return errno == EBUSY ? Result<>(Error(Code::kConflict, path + " still holds processes"))
                            : io::errno_error("remove " + path, errno);
    }
  }
  return Unit{};
}

}  // namespace

Result<Cgroups> Cgroups::open(std::string instance, std::string mount) {
  Cgroups c;
  c.mount_ = std::move(mount);
  c.instance_ = std::move(instance);
  if (::access((c.mount_ + "/cgroup.controllers").c_str(), F_OK) == 0) {
    c.hierarchies_ = {""};
    return c;
  }
  c.layout_ = Layout::kLegacy;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(c.mount_, error)) {
    const std::string name = entry.path().filename();
    if (entry.is_symlink() || ::access((entry.path() / "cgroup.procs").c_str(), F_OK) < 0) continue;
    c.hierarchies_.push_back(name);
  }
  const auto has = [&](const char* name) {
    return ::access((c.mount_ + "/" + name).c_str(), F_OK) == 0;
  };
  if (!has("memory") || !has("cpu") || !has("pids")) {
    return Error(Code::kUnavailable,
                 c.mount_ + " offers no memory, cpu and pids controllers; mount cgroups first");
  }
  for (const char* name : {"memory", "cpu", "cpuacct", "cpu,cpuacct", "pids"}) {
    // "cpu" may be a link to "cpu,cpuacct".
    std::error_code none;
    const std::string real = fs::canonical(c.mount_ + "/" + name, none).string();
    if (!none) c.shown_.push_back({name, real});
  }
  return c;
}

std::string Cgroups::path(const std::string& pod_uid, const std::string& container) const {
  return "/" + instance_ + "/pod" + pod_uid + (container.empty() ? "" : "/" + container);
}

std::string Cgroups::folder(const std::string& controller, const std::string& path) const {
  return layout_ == Layout::kUnified ? mount_ + path : mount_ + "/" + controller + path;
}

std::vector<std::string> Cgroups::folders(const std::string& path) const {
  std::vector<std::string> out;
  for (const std::string& h : hierarchies_)
    out.push_back(mount_ + (h.empty() ? "" : "/" + h) + path);
  return out;
}

std::vector<Cgroups::View> Cgroups::views(const std::string& path) const {
  std::vector<View> out = shown_;
  for (View& view : out) view.folder += path;
  return out;
}

Result<> Cgroups::make_pod(const std::string& pod_uid, PodLimits limits) const {
  const std::string pod = path(pod_uid, {});
  const bool unified = layout_ == Layout::kUnified;
  for (const char* controller : {"memory", "cpu", "pids"})
    TRY_OK(io::make_folders(folder(controller, pod), 0755));
  if (unified) {
    // One by one: a controller that the machine has not must not cost the others. The runtime says
    // why where none can be passed on.
    for (const std::string& level : {mount_, mount_ + "/" + instance_, mount_ + pod}) {
      for (const char* controller : {"+cpu", "+memory", "+pids"})
        (void)write(level + "/cgroup.subtree_control", controller);
    }
  }
  if (limits.memory_bytes > 0) {
    TRY_OK(set_limit(folder("memory", pod) + (unified ? "/memory.max" : "/memory.limit_in_bytes"),
                     std::to_string(limits.memory_bytes)));
  }
  if (limits.cpu_shares > 0 && unified) {
    // The kernel's own conversion of shares (2…262144) to weights (1…10000).
    TRY_OK(set_limit(folder("cpu", pod) + "/cpu.weight",
                     std::to_string(1 + ((limits.cpu_shares - 2) * 9'999) / 262'142)));
  } else if (limits.cpu_shares > 0) {
    TRY_OK(set_limit(folder("cpu", pod) + "/cpu.shares", std::to_string(limits.cpu_shares)));
  }
  TRY_OK(limit_cpu_time(folder("cpu", pod), limits));
  if (limits.processes <= 0) return Unit{};
  return set_limit(folder("pids", pod) + "/pids.max", std::to_string(limits.processes));
}

Result<> Cgroups::limit_cpu_time(const std::string& cpu, const PodLimits& limits) const {
  if (limits.cpu_quota_us <= 0) return Unit{};
  const std::string period = std::to_string(limits.cpu_period_us);
  const std::string quota = std::to_string(limits.cpu_quota_us);
  if (layout_ == Layout::kUnified) return set_limit(cpu + "/cpu.max", quota + " " + period);
  TRY_OK(set_limit(cpu + "/cpu.cfs_period_us", period));
  return set_limit(cpu + "/cpu.cfs_quota_us", quota);
}

Result<> Cgroups::remove_pod(const std::string& pod_uid) const {
  for (const std::string& f : folders(path(pod_uid, {}))) TRY_OK(remove_tree(f));
  return Unit{};
}

Result<> Cgroups::remove_all() const {
  for (const std::string& f : folders("/" + instance_)) TRY_OK(remove_tree(f));
  return Unit{};
}

Result<> Cgroups::kill_all() const {
  for (int round = 0; round < kKillRounds; ++round) {
    bool any = false;
    for (const std::string& root : folders("/" + instance_)) {
      std::error_code ignored;
      for (auto it = fs::recursive_directory_iterator(root, ignored);
           !ignored && it != fs::recursive_directory_iterator(); it.increment(ignored)) {
        if (it->path().filename() != "cgroup.procs") continue;
        for (const int pid : numbers(read(it->path().string())))
          any = ::kill(pid, SIGKILL) == 0 || any;
      }
    }
    if (!any) return Unit{};
    ::usleep(kKillPauseUs);
  }
  return Error(Code::kUnavailable, "processes in the cgroups of " + instance_ + " do not end");
}

// /proc/self/cgroup: "7:pids:/path" for v1, "0::/path" for v2.
void Cgroups::expect_attach() const {
  const bool unified = layout_ == Layout::kUnified;
  const std::string lines = "\n" + read("/proc/self/cgroup");
  const std::string key = unified ? "\n0::" : ":pids:";
  const size_t at = lines.find(key);
  if (at == std::string::npos) return;
  const size_t from = at + key.size();
  const std::string own = lines.substr(from, lines.find('\n', from) - from);
  (void)write(folder("pids", own == "/" ? "" : own) + "/cgroup.procs", "0");
}

uint64_t Cgroups::oom_kills(const std::string& path) const {
  if (layout_ == Layout::kUnified)
    return keyed(mount_ + path + "/memory.events", "oom_kill").value_or(0);
  return keyed(folder("memory", path) + "/memory.oom_control", "oom_kill").value_or(0);
}

Result<CgroupUsage> Cgroups::usage(const std::string& path) const {
  CgroupUsage out;
  const std::string memory = folder("memory", path);
  if (layout_ == Layout::kUnified) {
    out.cpu_ns = keyed(mount_ + path + "/cpu.stat", "usage_usec").value_or(0) * 1'000;
    out.memory_bytes = number_in(memory + "/memory.current").value_or(0);
    out.memory_limit = number_in(memory + "/memory.max");
    out.processes = number_in(mount_ + path + "/pids.current").value_or(0);
  } else {
    out.cpu_ns = number_in(folder("cpuacct", path) + "/cpuacct.usage").value_or(0);
    out.memory_bytes = number_in(memory + "/memory.usage_in_bytes").value_or(0);
    const auto limit = number_in(memory + "/memory.limit_in_bytes");
    if (limit && *limit < (1ull << 62)) out.memory_limit = limit;
    out.processes = number_in(folder("pids", path) + "/pids.current").value_or(0);
  }
  if (::access(memory.c_str(), F_OK) < 0) return Error(Code::kNotFound, "no such cgroup: " + path);
  const char* key = layout_ == Layout::kUnified ? "inactive_file" : "total_inactive_file";
  out.memory_bytes -= std::min(out.memory_bytes, keyed(memory + "/memory.stat", key).value_or(0));
  return out;
}

std::vector<int> Cgroups::processes(const std::string& path) const {
  return numbers(read(folder("pids", path) + "/cgroup.procs"));
}

int64_t default_process_limit() {
  constexpr int64_t kMost = 4'096, kPods = 10;
  const auto most = number_in("/proc/sys/kernel/pid_max");
  return most ? std::min<int64_t>(kMost, int64_t(*most) / kPods) : kMost;
}

}  // namespace atl::node

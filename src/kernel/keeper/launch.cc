#include "kernel/keeper/launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/io/files.h"

namespace atl::keeper {
namespace {

constexpr const char* kCgroups = "/sys/fs/cgroup";
// What containers are given, and the freezer, which `crun exec` asks whether they are paused. Each
// further hierarchy costs a group, a move and a mount at every start; that of cpuset even makes the
// kernel build its scheduling domains anew.
constexpr const char* kWanted[] = {"memory", "cpu", "cpuacct", "pids", "devices", "freezer"};

Result<> config_string(int fs, const char* key, const std::string& value) {
  if (::fsconfig(fs, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0) {
    return io::errno_error(std::string("overlay ") + key + " " + value, errno);
  }
  return Unit{};
}

// Kernels from 6.5 on take the lower folders one by one; mount(2) is bounded by one page of
// options.
Result<> mount_overlay(const CreateArguments& a) {
  const io::UniqueFd fs(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!fs) return io::errno_error("fsopen overlay", errno);
  for (const std::string& lower : a.overlay_lowers)
    TRY_OK(config_string(fs.get(), "lowerdir+", lower));
  if (!a.overlay_upper.empty()) {
    TRY_OK(config_string(fs.get(), "upperdir", a.overlay_upper));
    TRY_OK(config_string(fs.get(), "workdir", a.overlay_work));
  }
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
    return io::errno_error("create overlay for " + a.overlay_target, errno);
  }
  const io::UniqueFd mount(::fsmount(fs.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) return io::errno_error("fsmount overlay", errno);
  if (::move_mount(mount.get(), "", AT_FDCWD, a.overlay_target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) <
      0) {
    return io::errno_error("mount overlay on " + a.overlay_target, errno);
  }
  return Unit{};
}

// Older kernels: one option string, so paths must be short.
Result<> mount_overlay_by_options(const CreateArguments& a) {
  std::string options = "lowerdir=";
  for (size_t i = 0; i < a.overlay_lowers.size(); ++i)
    options += (i ? ":" : "") + a.overlay_lowers[i];
  if (!a.overlay_upper.empty())
    options += ",upperdir=" + a.overlay_upper + ",workdir=" + a.overlay_work;
  if (::mount("overlay", a.overlay_target.c_str(), "overlay", 0, options.c_str()) < 0) {
    return io::errno_error("mount overlay on " + a.overlay_target, errno);
  }
  return Unit{};
}

Result<> bind_netns(const std::string& bundle, int netns_fd) {
  const std::string target = bundle + "/netns";
  const io::UniqueFd file(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return io::errno_error("open " + target, errno);
  const std::string source = "/proc/self/fd/" + std::to_string(netns_fd);
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) < 0) {
    return io::errno_error("bind network namespace to " + target, errno);
  }
  return Unit{};
}

Result<> prepare(const Launch& what) {
  if (what.legacy_cgroups) {
    TRY_OK(enter_legacy_view());
  } else {
    TRY_OK(enter_private_mounts());
  }
  if (what.create && what.netns_fd >= 0) TRY_OK(bind_netns(what.create->bundle, what.netns_fd));
  if (what.create && !what.create->overlay_target.empty()) {
    auto mounted = mount_overlay(*what.create);
    if (!mounted && !mount_overlay_by_options(*what.create)) return mounted;
  }
  return Unit{};
}

struct Hierarchy {
  std::string name;  // "memory", "cpu,cpuacct"
  io::UniqueFd mount;
};

bool wanted(std::string_view name) {
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find(',', at), name.size());
    for (const char* w : kWanted) {
      if (name.substr(at, end - at) == w) return true;
    }
    at = end + 1;
  }
  return false;
}

Result<std::vector<Hierarchy>> wanted_hierarchies() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(kCgroups), &::closedir);
  if (!folder) return io::errno_error(std::string("open ") + kCgroups, errno);
  std::vector<Hierarchy> out;
  while (const dirent* entry = ::readdir(folder.get())) {
    // "cpu" may be a link to "cpu,cpuacct".
    if (entry->d_type != DT_DIR || !wanted(entry->d_name)) continue;
    io::UniqueFd copy(
        ::open_tree(::dirfd(folder.get()), entry->d_name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!copy) return io::errno_error(std::string("copy the mount ") + entry->d_name, errno);
    out.push_back({entry->d_name, std::move(copy)});
  }
  if (out.empty()) return Error(Code::kUnavailable, "there are no v1 cgroups to show");
  return out;
}

void give_fd(int fd, int as) {
  const int source = fd >= 0 ? fd : ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (::dup2(source, as) < 0) ::_exit(126);
}

// fds 0-2 may be among the sources: move those out of the way before dup2.
int lifted(int fd) {
  return fd >= 0 && fd < 3 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
}

[[noreturn]] void fail(const std::string& log_file, const std::string& message) {
  const io::UniqueFd log(::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log) (void)!::write(log.get(), message.data(), message.size());
  ::_exit(127);
}

[[noreturn]] void child(const Launch& what) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int s : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(s, SIG_DFL);
  if (auto ready = prepare(what); !ready) fail(what.log_file, ready.error().message());
  const int in = lifted(what.stdin_fd);
  const int out = lifted(what.stdout_fd);
  const int err = lifted(what.stderr_fd);
  give_fd(in, 0), give_fd(out, 1), give_fd(err, 2);
  // At execve, not now: the program may be among them.
  ::syscall(SYS_close_range, 3u, ~0u, unsigned(1u << 2));  // CLOSE_RANGE_CLOEXEC
  std::vector<char*> argv;
  for (const std::string& a : what.argv) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* const environment[] = {path, nullptr};
  if (what.program_fd >= 0) {
    ::syscall(SYS_execveat, what.program_fd, "", argv.data(), environment, AT_EMPTY_PATH);
  }
  ::execve(argv[0], argv.data(), environment);
  fail(what.log_file, what.argv[0] + ": " + std::strerror(errno));
}

}  // namespace

Result<> enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) < 0) return io::errno_error("new mount namespace", errno);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0) {
    return io::errno_error("detach mount propagation", errno);
  }
  return Unit{};
}

// Copies of the mounts first: what lies over the folder hides the originals.
Result<> enter_legacy_view() {
  TRY_OK(enter_private_mounts());
  TRY(std::vector<Hierarchy> wanted, wanted_hierarchies());
  if (::mount("cgroups", kCgroups, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=64k") <
      0) {
    return io::errno_error(std::string("cover ") + kCgroups, errno);
  }
  for (const Hierarchy& h : wanted) {
    const std::string target = std::string(kCgroups) + "/" + h.name;
    if (::mkdir(target.c_str(), 0755) < 0 ||
        ::move_mount(h.mount.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) < 0) {
      return io::errno_error("show " + target, errno);
    }
  }
  return Unit{};
}

Result<int> launch(const Launch& what) {
  const int pid = ::fork();
  if (pid < 0) return io::errno_error("fork", errno);
  if (pid == 0) child(what);
  return pid;
}

uint64_t start_ticks(int pid) {
  auto stat = io::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return 0;
  size_t at = stat->rfind(')');  // the name may hold spaces and brackets
  if (at == std::string::npos) return 0;
  for (int field = 2; field < 22; ++field) {
    at = stat->find(' ', at + 1);
    if (at == std::string::npos) return 0;
  }
  return std::strtoull(stat->c_str() + at + 1, nullptr, 10);
}

}  // namespace atl::keeper

#include "kernel/keeper/service.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/io/files.h"
#include "kernel/keeper/launch.h"

namespace atl::keeper {
namespace {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

Result<User> look_up(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (!entry) return Error(Code::kNotFound, "the user " + name + " does not exist; ./up makes it");
  User user{entry->pw_uid, entry->pw_gid, std::vector<gid_t>(64)};
  int count = int(user.groups.size());
  if (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0)
    count = int(user.groups.size());
  user.groups.resize(size_t(std::max(count, 0)));
  return user;
}

bool set_capabilities(uint32_t mask) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{mask, mask, mask}, {0, 0, 0}};
  return ::syscall(SYS_capset, &head, data) == 0;
}

bool become(const User& user, bool low_ports) {
  if (low_ports && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return false;
  if (::setgroups(user.groups.size(), user.groups.data()) < 0) return false;
  if (::setresgid(user.gid, user.gid, user.gid) < 0 ||
      ::setresuid(user.uid, user.uid, user.uid) < 0)
    return false;
  if (!low_ports) return true;
  return set_capabilities(1u << CAP_NET_BIND_SERVICE) &&
         ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "atoll-supervise: %s: %s\n", what, std::strerror(errno));
  ::_exit(127);
}

[[noreturn]] void child(const ServiceSpec& spec, const std::optional<User>& user) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int s : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(s, SIG_DFL);
  ::umask(022);
  const int log =
      ::open(spec.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || null < 0) fail(spec.log_file.c_str());
  ::dup2(null, 0), ::dup2(log, 1), ::dup2(log, 2);
  const std::string record =
      std::to_string(::getpid()) + " " + std::to_string(start_ticks(::getpid())) + "\n";
  if (!io::write_file_atomic(spec.pid_file, record, 0644)) fail(spec.pid_file.c_str());
  if (user && !become(*user, spec.low_ports)) fail(("become user " + spec.user).c_str());
  std::vector<char*> argv;
  for (const std::string& a : spec.argv) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  // The supervisor's lock is among these: it is held until here, so nobody looks for us before the
  // pid file is there.
  ::syscall(SYS_close_range, 3u, ~0u, unsigned(1u << 2));  // CLOSE_RANGE_CLOEXEC
  ::execve(argv[0], argv.data(), environ);
  fail(argv[0]);
}

}  // namespace

Result<ServiceProcess> start_service(const ServiceSpec& spec) {
  std::optional<User> user;
  if (!spec.user.empty()) {
    TRY(user, look_up(spec.user));
  }
  if (::access(spec.argv[0].c_str(), X_OK) < 0) return io::errno_error(spec.argv[0], errno);
  const int pid = ::fork();
  if (pid < 0) return io::errno_error("fork", errno);
  if (pid == 0) child(spec, user);
  ServiceProcess process{pid, io::UniqueFd(int(::syscall(SYS_pidfd_open, pid, 0)))};
  if (!process.pidfd) return io::errno_error("pidfd", errno);
  return process;
}

std::optional<ServiceProcess> find_service(const ServiceSpec& spec) {
  auto record = io::read_file(spec.pid_file, 256);
  int pid = 0;
  unsigned long long ticks = 0;
  if (!record || std::sscanf(record->c_str(), "%d %llu", &pid, &ticks) != 2 || pid <= 1)
    return std::nullopt;
  ServiceProcess process{pid, io::UniqueFd(int(::syscall(SYS_pidfd_open, pid, 0)))};
  // Opened before the check: whatever the pid is now, the pidfd cannot become another process
  // later.
  if (!process.pidfd || start_ticks(pid) != ticks) return std::nullopt;
  return process;
}

Duration restart_delay(int quick_ends) {
  constexpr Duration kFirst = std::chrono::milliseconds(100);
  constexpr Duration kMost = std::chrono::seconds(10);
  if (quick_ends <= 1) return Duration::zero();
  return quick_ends > 9 ? kMost : std::min(kMost, kFirst * (1 << (quick_ends - 2)));
}

}  // namespace atl::keeper

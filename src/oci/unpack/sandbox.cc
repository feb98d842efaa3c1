#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <memory>

#include "base/io/files.h"
#include "oci/unpack/unpack.h"

namespace atl::oci {
namespace {

constexpr uid_t kNobody = 65534;
constexpr rlim_t kMemoryBytes = 2ull << 30;
constexpr rlim_t kOpenFiles = 32;

// Lowers a limit; the hard limit never rises.
Result<> lower_limit(__rlimit_resource which, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(which, &limit) != 0) return io::errno_error("read a limit", errno);
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value) value = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = value;
  if (::setrlimit(which, &limit) != 0) return io::errno_error("set a limit", errno);
  return Unit{};
}

Result<> drop_user() {
  if (::geteuid() != 0) return Unit{};
  if (::setgroups(0, nullptr) != 0) return io::errno_error("drop groups", errno);
  if (::setresgid(kNobody, kNobody, kNobody) != 0) return io::errno_error("drop the group", errno);
  if (::setresuid(kNobody, kNobody, kNobody) != 0) return io::errno_error("drop the user", errno);
  return Unit{};
}

Result<> allow_only(FileAccess files) {
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS),
                                                      seccomp_release);
  if (!filter) return Error(Code::kUnavailable, "seccomp is not to be had on this kernel");
  const auto allow = [&](int call) {
    return seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0) == 0;
  };
  bool ok = true;
  for (const int call :
       {SCMP_SYS(read),           SCMP_SYS(write),     SCMP_SYS(pwrite64),   SCMP_SYS(writev),
        SCMP_SYS(lseek),          SCMP_SYS(fsync),     SCMP_SYS(ftruncate),  SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),     SCMP_SYS(close),     SCMP_SYS(mmap),       SCMP_SYS(munmap),
        SCMP_SYS(mremap),         SCMP_SYS(mprotect),  SCMP_SYS(madvise),    SCMP_SYS(brk),
        SCMP_SYS(futex),          SCMP_SYS(exit),      SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid),    SCMP_SYS(gettid),     SCMP_SYS(tgkill),
        SCMP_SYS(clock_gettime),  SCMP_SYS(getrandom), SCMP_SYS(sysinfo)}) {
    ok = ok && allow(call);
  }
  // Libraries look for configuration and tables: they find none, and go on.
  const uint32_t open = files == FileAccess::kBelowHere ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOENT);
  for (const int call : {SCMP_SYS(openat), SCMP_SYS(open)}) {
    ok = ok && seccomp_rule_add(filter.get(), open, call, 0) == 0;
  }
  for (const int call : {SCMP_SYS(access), SCMP_SYS(readlink)}) {
    ok = ok && seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOENT), call, 0) == 0;
  }
  if (!ok || seccomp_load(filter.get()) != 0)
    return Error(Code::kUnavailable, "the list of system calls cannot be set");
  return Unit{};
}

}  // namespace

Result<> enter_sandbox(FileAccess files) {
  ::setlocale(LC_CTYPE, "C.UTF-8");  // file names are UTF-8 in pax headers; read while we still can
  if (::geteuid() == 0) {
    // Own network and IPC namespaces where the kernel lets us; the list of system calls is the
    // wall.
    [[maybe_unused]] const int own = ::unshare(CLONE_NEWNET | CLONE_NEWIPC);
    if (::chroot(".") != 0 || ::chdir("/") != 0)
      return io::errno_error("enter an empty root", errno);
  }
  TRY_OK(lower_limit(RLIMIT_AS, kMemoryBytes));
  TRY_OK(lower_limit(RLIMIT_NOFILE, kOpenFiles));
  TRY_OK(lower_limit(RLIMIT_CORE, 0));
  TRY_OK(drop_user());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return io::errno_error("give up new privileges", errno);
  return allow_only(files);
}

}  // namespace atl::oci

#include "kernel/node/runtime/child_process.h"

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/io/files.h"

namespace atl::node {

struct ChildProcess::Pidfd {
  explicit Pidfd(const Executor& executor) : descriptor(executor) {}
  asio::posix::stream_descriptor descriptor;
};

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const Executor& executor,
                                                          const ChildOptions& options) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const int fds[] = {options.stdin_fd, options.stdout_fd, options.stderr_fd};
  for (int i = 0; i < 3; ++i) {
    if (fds[i] >= 0)
      ::posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    else
      ::posix_spawn_file_actions_addopen(&actions, i, "/dev/null", i == 0 ? 0 : 1, 0);
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::vector<char*> argv;
  for (const std::string& word : options.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::unique_ptr<ChildProcess> child(new ChildProcess());
  const int error =
      ::posix_spawn(&child->pid_, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    child->status_ = 127;
    return io::errno_error("start " + options.argv[0], error);
  }
  child->pidfd_ = std::make_unique<Pidfd>(executor);
  child->pidfd_->descriptor.assign(int(::syscall(SYS_pidfd_open, child->pid_, 0)));
  return child;
}

ChildProcess::~ChildProcess() {
  if (status_) return;
  kill(SIGKILL);
  reap(true);
}

bool ChildProcess::reap(bool block) {
  int status = 0;
  if (::waitpid(pid_, &status, block ? 0 : WNOHANG) != pid_) return false;
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return true;
}

Async<int> ChildProcess::wait() {
  while (!status_ && !reap(false)) {
    auto [error] = co_await pidfd_->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                                          asio::as_tuple(asio::use_awaitable));
    if (error) co_return -1;
  }
  co_return *status_;
}

void ChildProcess::kill(int signal) {
  if (!status_) ::kill(pid_, signal);
}

}  // namespace atl::node

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/io/unique_fd.h"

namespace atl::node {

struct ChildOptions {
  std::vector<std::string> argv;  // argv[0] absolute
  int stdin_fd = -1;              // -1: /dev/null
  int stdout_fd = -1;
  int stderr_fd = -1;
};

// A short-lived helper process of the agent, started without copying the agent's memory. Owned by
// whoever waits for it; killed and reaped by the destructor. One executor.
class ChildProcess {
 public:
  static Result<std::unique_ptr<ChildProcess>> start(const Executor& executor,
                                                     const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;

  // The exit code, 128 + signal where killed, -1 when the wait was cancelled.
  Async<int> wait();
  void kill(int signal);
  // Looks without waiting.
  bool ended() { return status_.has_value() || reap(false); }

 private:
  struct Pidfd;
  ChildProcess() = default;
  bool reap(bool block);
  std::unique_ptr<Pidfd> pidfd_;
  int pid_ = 0;
  std::optional<int> status_;
};

}  // namespace atl::node

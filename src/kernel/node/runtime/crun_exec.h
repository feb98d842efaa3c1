#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/async/timer.h"
#include "kernel/node/runtime/runtime.h"

namespace atl::node {

struct CrunExecCommand {
  std::vector<std::string> prefix;  // put before crun
  std::string program;
  std::string state_folder;
  std::string bundle;          // of the container
  std::string files;           // prefix of the files of this exec; removed with the session
  std::string console_socket;  // for a terminal
};

// `crun exec` as a child of the agent: it ends when the agent ends, as with a kubelet. The command
// runs in the container's namespaces and cgroup with the user, environment, capabilities and
// seccomp of its process.
Task<std::unique_ptr<ExecSession>> start_crun_exec(Executor executor, Timer& timer,
                                                   CrunExecCommand command, ExecRequest request);

}  // namespace atl::node

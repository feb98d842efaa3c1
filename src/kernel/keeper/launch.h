#pragma once

#include <string>
#include <vector>

#include "base/core/result.h"
#include "kernel/keeper/wire.h"

// Starts a runtime command (crun create, start, delete) as a child in a mount namespace of its own.
namespace atl::keeper {

struct Launch {
  std::vector<std::string> argv;  // argv[0] is the absolute path
  int program_fd = -1;            // its sealed copy, executed instead of the path
  std::string log_file;           // the child appends why it could not exec; may be empty
  bool legacy_cgroups = false;    // enter_legacy_view() first
  int stdin_fd = -1;              // -1: /dev/null
  int stdout_fd = -1;             // -1: /dev/null
  int stderr_fd = -1;
  const CreateArguments* create = nullptr;  // its overlay is mounted; borrowed during the call
  int netns_fd = -1;                        // bound to <bundle>/netns
};

// The child's pid. It has a session of its own, default signals and no other fds of the keeper.
Result<int> launch(const Launch& what);

// In the calling process: a private mount namespace that shows, of the control groups, only the v1
// hierarchies that containers are given (crun 1.8 refuses hybrid layouts). Used by the child above
// and by `atoll-keeper --legacy-cgroups COMMAND...`, which agents put before `crun exec`.
Result<> enter_legacy_view();
Result<> enter_private_mounts();

// /proc/PID/stat field 22, 0 where there is no such process.
uint64_t start_ticks(int pid);

}  // namespace atl::keeper

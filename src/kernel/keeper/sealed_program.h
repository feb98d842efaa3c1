#pragma once

#include <sys/stat.h>

#include <map>
#include <string>

#include "base/io/unique_fd.h"

namespace atl::keeper {

// Programs copied into sealed memory files. So that no container can overwrite the host's runtime
// through /proc/PID/exe (CVE-2019-5736), crun copies itself into one and executes itself again at
// every start, unless it already runs from one; given ours it goes on at once. The memory is shared
// by all runs. Owned by the keeper, one thread.
class SealedPrograms {
 public:
  // Borrowed, close-on-exec; copied anew where the file changed. -1 where it cannot be made: the
  // program is then executed by its path and seals itself.
  int of(const std::string& path);

 private:
  struct Copy {
    struct stat source{};
    io::UniqueFd memory;
  };
  std::map<std::string, Copy> copies_;
};

}  // namespace atl::keeper

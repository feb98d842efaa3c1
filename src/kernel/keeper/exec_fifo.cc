#include "kernel/keeper/exec_fifo.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io/unique_fd.h"

namespace atl::keeper {

bool release_by_fifo(const std::string& state_folder, const std::string& id) {
  const std::string path = state_folder + "/" + id + "/exec.fifo";
  // Does not wait for a reader: without one it fails.
  const io::UniqueFd fifo(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!fifo || ::unlink(path.c_str()) < 0) return false;
  const char go = 0;
  return ::write(fifo.get(), &go, 1) == 1;
}

}  // namespace atl::keeper

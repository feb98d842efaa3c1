#include "kernel/node/inside.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/io/files.h"

namespace atl::node {

namespace fs = std::filesystem;

io::UniqueFd open_inside(int root, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return io::UniqueFd(int(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

Result<> make_inside(int root, const std::string& path) {
  std::string so_far;
  for (const fs::path& part : fs::path(path).relative_path()) {
    if (part.empty()) continue;  // after a slash at the end
    const io::UniqueFd parent =
        open_inside(root, so_far.empty() ? "." : so_far, O_PATH | O_DIRECTORY);
    if (!parent) return io::errno_error("open " + so_far, errno);
    so_far += (so_far.empty() ? "" : "/") + part.string();
    if (open_inside(root, so_far, O_PATH)) continue;
    if (::mkdirat(parent.get(), part.c_str(), 0755) < 0 && errno != EEXIST)
      return io::errno_error("make " + so_far, errno);
  }
  return Unit{};
}

std::string rooted(const std::string& path) {
  return fs::path("/" + path).lexically_normal().string();
}

}  // namespace atl::node

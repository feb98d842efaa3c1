#include "kernel/node/runtime/layer_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io/unique_fd.h"
#include "kernel/node/inside.h"

namespace atl::node {
namespace {

constexpr size_t kFileMax = 1 << 20;

// The path inside one layer; links cannot lead out of it.
io::UniqueFd open_in(const std::string& layer, const std::string& path, uint64_t flags) {
  const io::UniqueFd root(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return open_inside(root.get(), path, flags);
}

std::string read_top(const std::vector<std::string>& layers, const std::string& path) {
  for (const std::string& layer : layers) {
    const io::UniqueFd seen = open_in(layer, path, O_PATH | O_NOFOLLOW);
    struct stat about{};
    if (!seen || ::fstat(seen.get(), &about) < 0) continue;
    if (S_ISCHR(about.st_mode) && about.st_rdev == makedev(0, 0))
      return {};  // a whiteout: removed above
    const io::UniqueFd fd = open_in(layer, path, O_RDONLY | O_NONBLOCK);
    if (!fd || ::fstat(fd.get(), &about) < 0 || !S_ISREG(about.st_mode)) return {};
    std::string out(std::min<size_t>(size_t(about.st_size), kFileMax), '\0');
    const ssize_t n = ::read(fd.get(), out.data(), out.size());
    out.resize(n > 0 ? size_t(n) : 0);
    return out;
  }
  return {};
}

}  // namespace

UserDatabase users_in(const std::vector<std::string>& layers) {
  return {read_top(layers, "etc/passwd"), read_top(layers, "etc/group")};
}

bool folder_in(const std::vector<std::string>& layers, const std::string& path) {
  for (const std::string& layer : layers) {
    if (open_in(layer, path, O_PATH | O_DIRECTORY)) return true;
  }
  return false;
}

}  // namespace atl::node

#include "kernel/node/volumes/memory_folder.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include <cerrno>

#include "base/io/files.h"

namespace atl::node {

Result<> make_memory_folder(const std::string& path) {
  TRY_OK(io::make_folders(path, 0711));
  struct statfs about{};
  if (::statfs(path.c_str(), &about) < 0) return io::errno_error("look at " + path, errno);
  if (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC) return Unit{};
  if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NODEV | MS_NOSUID, "mode=0711,size=25%") < 0)
    return io::errno_error("mount tmpfs on " + path, errno);
  return Unit{};
}

}  // namespace atl::node

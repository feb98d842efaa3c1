#include "kernel/keeper/rotation.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/io/files.h"

namespace atl::keeper {
namespace {

constexpr off_t kBlock = 4096;

Result<> copy_front(int from, const std::string& to, off_t bytes) {
  const io::UniqueFd out(
      ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!out) return io::errno_error("open " + to, errno);
  off_t at = 0;
  while (at < bytes) {
    const ssize_t n = ::sendfile(out.get(), from, &at, size_t(bytes - at));
    if (n <= 0) return io::errno_error("copy to " + to, n < 0 ? errno : EIO);
  }
  return Unit{};
}

}  // namespace

Result<bool> rotate_if_large(const std::string& file, uint64_t limit_bytes, int keep) {
  const io::UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return errno == ENOENT ? Result<bool>(false) : io::errno_error("open " + file, errno);
  struct stat about{};
  if (::fstat(fd.get(), &about) < 0) return io::errno_error("stat " + file, errno);
  if (uint64_t(about.st_size) < limit_bytes) return false;
  const off_t front = (about.st_size - 1) / kBlock * kBlock;
  if (front == 0) return false;
  for (int i = keep - 1; i >= 1; --i) {
    std::rename((file + "." + std::to_string(i)).c_str(),
                (file + "." + std::to_string(i + 1)).c_str());
  }
  TRY_OK(copy_front(fd.get(), file + ".1", front));
  if (::fallocate(fd.get(), FALLOC_FL_COLLAPSE_RANGE, 0, front) < 0 &&
      ::ftruncate(fd.get(), 0) < 0) {
    return io::errno_error("cut " + file, errno);
  }
  return true;
}

}  // namespace atl::keeper

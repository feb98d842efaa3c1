#include "base/io/quick_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/io/files.h"
#include "base/io/unique_fd.h"

namespace atl::io {

Result<> write_quickly(const std::string& path, std::string_view bytes, uint32_t mode) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return errno_error("open " + path, errno);
  if (::fchmod(fd.get(), mode) < 0) return errno_error("chmod " + path, errno);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write " + path, errno);
    done += size_t(n);
  }
  return Unit{};
}

Result<> replace_quickly(const std::string& path, std::string_view bytes, uint32_t mode) {
  const std::string temporary = path + ".new";
  TRY_OK(write_quickly(temporary, bytes, mode));
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return errno_error("remove " + path, errno);
  if (std::rename(temporary.c_str(), path.c_str()) < 0)
    return errno_error("rename " + temporary, errno);
  return Unit{};
}

Result<std::string> read_replaced(const std::string& path, size_t limit) {
  auto bytes = read_file(path, limit);
  if (bytes || bytes.error().code() != Code::kNotFound) return bytes;
  return read_file(path + ".new", limit);  // whole: the old one was removed after it was written
}

}  // namespace atl::io

#include "base/io/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace atl::io {
namespace {

Result<> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write " + path, errno);
    bytes.remove_prefix(size_t(n));
  }
  return Unit{};
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> sync_folder(const std::string& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error("open " + folder, errno);
  if (::fsync(fd.get()) != 0) return errno_error("fsync " + folder, errno);
  return Unit{};
}

}  // namespace

Error errno_error(std::string_view what, int error) {
  Code code = Code::kUnavailable;
  switch (error) {
    case ENOENT:
      code = Code::kNotFound;
      break;
    case EEXIST:
      code = Code::kExists;
      break;
    case EACCES:
    case EPERM:
      code = Code::kForbidden;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      code = Code::kExhausted;
      break;
    default:
      break;
  }
  return Error(code, std::string(what) + ": " + std::generic_category().message(error));
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error("open " + path, errno);
  std::string bytes;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("read " + path, errno);
    if (n == 0) return bytes;
    bytes.append(buffer, size_t(n));
    if (bytes.size() > limit)
      return Error(Code::kTooLarge, path + " is larger than " + std::to_string(limit) + " bytes");
  }
}

Result<> write_file_atomic(const std::string& path, std::string_view bytes, uint32_t mode) {
  const std::string temporary = path + ".tmp";
  {
    const UniqueFd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return errno_error("open " + temporary, errno);
    if (::fchmod(fd.get(), mode) != 0) return errno_error("chmod " + temporary, errno);
    TRY_OK(write_all(fd.get(), bytes, temporary));
    if (::fsync(fd.get()) != 0) return errno_error("fsync " + temporary, errno);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return errno_error("rename " + temporary, errno);
  return sync_folder(folder_of(path));
}

// The last folder first: nearly always all above it are there.
Result<> make_folders(const std::string& path, uint32_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return Unit{};
  const size_t parent = path.rfind('/');
  if (errno == ENOENT && parent != std::string::npos && parent > 0) {
    TRY_OK(make_folders(path.substr(0, parent), 0755));
    if (::mkdir(path.c_str(), mode) == 0) return Unit{};
  }
  if (errno != EEXIST) return errno_error("mkdir " + path, errno);
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return errno_error("stat " + path, errno);
  if (!S_ISDIR(info.st_mode)) return Error(Code::kExists, path + " exists and is no folder");
  return Unit{};
}

}  // namespace atl::io

#include "kernel/keeper/sealed_program.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

namespace atl::keeper {
namespace {

#ifndef MFD_EXEC
constexpr unsigned MFD_EXEC = 0x0010u;  // Linux 6.3
#endif
// Exactly these: crun compares.
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

io::UniqueFd sealed_copy(int source, off_t size) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  io::UniqueFd memory(::memfd_create("runtime", flags | MFD_EXEC));
  if (!memory) memory.reset(::memfd_create("runtime", flags));  // an older kernel
  if (!memory) return {};
  for (off_t done = 0; done < size;) {
    const ssize_t n = ::sendfile(memory.get(), source, &done, size_t(size - done));
    if (n <= 0) return {};
  }
  if (::fcntl(memory.get(), F_ADD_SEALS, kSeals) < 0) return {};
  return memory;
}

}  // namespace

int SealedPrograms::of(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) < 0) return -1;
  Copy& copy = copies_[path];
  if (copy.memory && same_file(copy.source, about)) return copy.memory.get();
  const io::UniqueFd source(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source || ::fstat(source.get(), &copy.source) < 0 || !S_ISREG(copy.source.st_mode))
    return -1;
  copy.memory = sealed_copy(source.get(), copy.source.st_size);
  return copy.memory ? copy.memory.get() : -1;
}

}  // namespace atl::keeper

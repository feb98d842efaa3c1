#include "base/core/idle_memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace atl {
namespace {

constexpr int kLargeBytes = 256 * 1024;

// A mapping of /proc/self/smaps, as far as its lines have been read.
struct Mapping {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  bool of_file = false;
  bool writable = true;
};

// "55d0-55e0 r-xp 00000000 fe:00 1234  /path"; false for a line that tells about the last one.
bool read_head(const char* line, Mapping& out) {
  unsigned long begin = 0, end = 0, inode = 0;
  char mode[8] = {};
  if (std::sscanf(line, "%lx-%lx %7s %*s %*s %lu", &begin, &end, mode, &inode) != 4) return false;
  out = {begin, end, inode != 0, mode[1] == 'w'};
  return true;
}

}  // namespace

void keep_memory_small() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
  ::mallopt(M_TRIM_THRESHOLD, kLargeBytes);
}

void release_idle_memory() {
  ::malloc_trim(0);
  FILE* maps = std::fopen("/proc/self/smaps", "re");
  if (!maps) return;
  char line[4352];  // a path has at most 4096 bytes
  Mapping mapping;
  while (std::fgets(line, sizeof line, maps)) {
    if (read_head(line, mapping)) continue;
    // Whatever was written to (relocated constants, say) exists here alone and must stay.
    unsigned long kib = 0;
    if (std::sscanf(line, "Anonymous: %lu kB", &kib) != 1) continue;
    if (kib != 0 || mapping.writable || !mapping.of_file) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel tells it as a number
    ::madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED);
  }
  std::fclose(maps);
}

}  // namespace atl

#include "base/core/idle_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace atl {
namespace {

long resident_kib(const char* key) {
  FILE* status = std::fopen("/proc/self/status", "re");
  char line[256];
  long kib = -1;
  while (std::fgets(line, sizeof line, status)) {
    if (std::strncmp(line, key, std::strlen(key)) == 0) kib = std::atol(line + std::strlen(key));
  }
  std::fclose(status);
  return kib;
}

TEST(IdleMemory, GivesBackCodeAndFreedBlocksAndGoesOn) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer's heap is its own";
#endif
  keep_memory_small();
  std::vector<std::unique_ptr<std::string>> blocks;
  for (int i = 0; i < 10'000; ++i) blocks.push_back(std::make_unique<std::string>(1'000, 'x'));
  auto last = std::move(blocks.back());  // holds the top of the heap
  blocks.clear();
  const long files = resident_kib("RssFile:");
  const long heap = resident_kib("RssAnon:");
  release_idle_memory();
  EXPECT_LT(resident_kib("RssFile:"), files);
  EXPECT_LT(resident_kib("RssAnon:"), heap - 8'000);
  EXPECT_EQ(*last, std::string(1'000, 'x'));
}

TEST(IdleMemory, KeepsWhatWasWrittenToAMappedFile) {
  FILE* file = std::tmpfile();
  const std::string page(4096, 'a');
  std::fwrite(page.data(), 1, page.size(), file);
  std::fflush(file);
  char* mapped = static_cast<char*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ::fileno(file), 0));
  ASSERT_NE(mapped, MAP_FAILED);
  mapped[0] = 'b';
  ::mprotect(mapped, 4096, PROT_READ);
  release_idle_memory();
  EXPECT_EQ(mapped[0], 'b') << "as relocated constants";
  ::munmap(mapped, 4096);
  std::fclose(file);
}

}  // namespace
}  // namespace atl

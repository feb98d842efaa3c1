#include "base/core/rng.h"

#include <pthread.h>
#include <sys/random.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/core/check.h"

namespace atl {
namespace {
constexpr size_t kSmallBytes = 16;  // ids; what is longer (keys) is asked of the kernel each time
}

uint64_t Rng::next() {
  uint64_t value = 0;
  fill({reinterpret_cast<uint8_t*>(&value), sizeof value});
  return value;
}

uint64_t Rng::below(uint64_t bound) {
  CHECK(bound > 0);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;  // reject the uneven rest
  for (;;) {
    const uint64_t value = next();
    if (value < limit) return value % bound;
  }
}

std::string Rng::uuid() {
  uint8_t b[16];
  fill(b);
  b[6] = uint8_t((b[6] & 0x0f) | 0x40);
  b[8] = uint8_t((b[8] & 0x3f) | 0x80);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[b[i] >> 4];
    text += kHex[b[i] & 15];
  }
  return text;
}

std::string Rng::name_suffix(size_t length) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (size_t i = 0; i < length; ++i) text += kLetters[below(kLetters.size())];
  return text;
}

namespace {

void ask_kernel(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    out = out.subspan(size_t(got));
  }
}

// A block of the kernel's randomness, handed out byte by byte and wiped as it goes: ids are made
// several times for each request, and a system call costs more than the rest of making one.
struct Reserve {
  static constexpr size_t kBytes = 1024;
  uint8_t bytes[kBytes];
  size_t left = 0;
  uint64_t process = 0;  // of g_processes, when the block was filled
};

// Grows in a child of fork(), which must not hand out what its parent does.
std::atomic<uint64_t> g_processes{1};
const int kWatched =
    pthread_atfork(nullptr, nullptr, [] { g_processes.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

void SystemRng::fill(std::span<uint8_t> out) {
  CHECK(kWatched == 0);
  thread_local Reserve reserve;
  const uint64_t process = g_processes.load(std::memory_order_relaxed);
  if (out.size() > kSmallBytes) return ask_kernel(out);
  if (reserve.process != process || reserve.left < out.size()) {
    ask_kernel(reserve.bytes);
    reserve.left = Reserve::kBytes;
    reserve.process = process;
  }
  uint8_t* const from = reserve.bytes + Reserve::kBytes - reserve.left;
  std::memcpy(out.data(), from, out.size());
  explicit_bzero(from, out.size());
  reserve.left -= out.size();
}

void SeededRng::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    const size_t n = out.size() < 8 ? out.size() : 8;
    std::memcpy(out.data(), &z, n);
    out = out.subspan(n);
  }
}

}  // namespace atl

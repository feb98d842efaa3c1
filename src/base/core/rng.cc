#include "base/core/rng.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/core/check.h"

namespace atl {

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
  std::string text;
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", b[i]);
  }
  return text;
}

std::string Rng::name_suffix(size_t length) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (size_t i = 0; i < length; ++i) text += kLetters[below(kLetters.size())];
  return text;
}

void SystemRng::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    out = out.subspan(size_t(got));
  }
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

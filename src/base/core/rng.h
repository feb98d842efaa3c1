#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace atl {

// The only source of randomness. Seeded in tests, the kernel's in production.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<uint8_t> out) = 0;

  uint64_t next();
  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  // A random UUID, version 4.
  std::string uuid();
  // Letters for generated names, without vowels and look-alikes: "bcdfghjklmnpqrstvwxz2456789".
  std::string name_suffix(size_t length);
};

// getrandom(2). Aborts if the kernel has none: keys must never be weak.
class SystemRng final : public Rng {
 public:
  void fill(std::span<uint8_t> out) override;
};

// splitmix64 from a seed; for tests and simulation only, never for keys.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(uint64_t seed) : state_(seed) {}
  void fill(std::span<uint8_t> out) override;

 private:
  uint64_t state_;
};

}  // namespace atl

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// Hashes and the comparison of secrets. Thread-safe; nothing here fails on input.
namespace atl::crypto {

using Digest256 = std::array<uint8_t, 32>;

Digest256 sha256(std::string_view bytes);
// Lower-case hex of the same, 64 characters.
std::string sha256_hex(std::string_view bytes);
Digest256 hmac_sha256(std::string_view key, std::string_view bytes);

std::string hex(std::string_view bytes);
inline std::string_view view(const Digest256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// True when equal. Takes the same time wherever equally long inputs differ.
bool constant_time_equal(std::string_view a, std::string_view b);

// A digest over bytes that arrive piece by piece (layers, blobs). Owned by one reader; one thread.
class Hasher {
 public:
  enum class Algorithm : uint8_t { kSha256, kSha512 };
  explicit Hasher(Algorithm algorithm = Algorithm::kSha256);
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void update(std::string_view bytes);
  // The digest as raw bytes (32 or 64). The hasher starts again from nothing.
  std::string finish();
  std::string finish_hex() { return hex(finish()); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atl::crypto

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/check.h"
#include "base/crypto/jwt.h"

// Whatever the bytes: no crash, and without a key of ours never a believed claim.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const atl::crypto::PrivateKey key = atl::crypto::PrivateKey::generate();
  const std::string_view token(reinterpret_cast<const char*>(data), size);
  const auto parts = atl::crypto::parse_jwt(token);
  if (parts) (void)atl::crypto::jwt_audiences(parts->claims);
  const atl::crypto::JwkSet keys({key.public_key()});
  CHECK(!keys.verify(token,
                     {.issuer = "https://atoll", .now = atl::WallTime(std::chrono::seconds(1))})
             .has_value());
  (void)atl::crypto::JwkSet::parse(token);
  return 0;
}

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/crypto/key.h"
#include "base/crypto/x509.h"

// Whatever the bytes: an answer or an error, never a crash, never a prompt for a password.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view pem(reinterpret_cast<const char*>(data), size);
  (void)atl::crypto::parse_certificate(pem);
  (void)atl::crypto::parse_signing_request(pem);
  (void)atl::crypto::PublicKey::from_pem(pem);
  (void)atl::crypto::PrivateKey::from_pem(atl::crypto::Secret(std::string(pem)));
  return 0;
}

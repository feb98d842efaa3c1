#include "base/crypto/secret.h"

#include <openssl/crypto.h>

#include "base/crypto/digest.h"

namespace atl::crypto {

// A short text that was moved from leaves its bytes where it stood: they are wiped as well.
Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {
  other.wipe();
}

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe();
  bytes_ = other.bytes_;
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::move(other.bytes_);
  other.wipe();
  return *this;
}

bool Secret::operator==(const Secret& other) const {
  return constant_time_equal(bytes_, other.bytes_);
}

void Secret::wipe() {
  OPENSSL_cleanse(bytes_.data(), bytes_.capacity());
  bytes_.clear();
}

}  // namespace atl::crypto

#include "base/crypto/token.h"

#include <string>

#include "base/crypto/base64.h"

namespace atl::crypto {

Secret random_token(Rng& rng, size_t bytes) {
  std::string raw(bytes, '\0');
  rng.fill({reinterpret_cast<uint8_t*>(raw.data()), raw.size()});
  const Secret keep(std::move(raw));
  return Secret(base64url(keep.reveal()));
}

}  // namespace atl::crypto

#pragma once

#include <cstddef>

#include "base/core/rng.h"
#include "base/crypto/secret.h"

namespace atl::crypto {

// A random text of `bytes` random bytes in the base64url alphabet: bootstrap tokens, session ids.
Secret random_token(Rng& rng, size_t bytes = 32);

}  // namespace atl::crypto

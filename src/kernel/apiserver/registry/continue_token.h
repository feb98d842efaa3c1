#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/revision.h"

namespace atl::apiserver {

// Where a list in pages goes on. On the wire: base64url without padding of
// {"v":"meta.k8s.io/v1","rv":<revision>,"start":"<key>"}.
struct ContinueToken {
  // Nothing (rv -1): go on in the newest state, after the first pages' one was forgotten.
  std::optional<Revision> revision;
  std::string start;  // the first key of the next page
};

std::string encode_continue(const ContinueToken& token);
// kBadRequest on anything that encode_continue() did not write.
Result<ContinueToken> decode_continue(std::string_view text);

}  // namespace atl::apiserver

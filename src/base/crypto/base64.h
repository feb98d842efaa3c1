#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/text/base64.h"

// RFC 4648, both alphabets in one place. Encoding cannot fail. Decoding refuses white space,
// foreign characters and wrong padding; the URL form also bits left over, so that a token has one
// text.
namespace atl::crypto {

// Standard alphabet with padding (base/text/base64.h): Secret data, basic authentication.
inline std::string base64(std::string_view bytes) {
  return base64_encode(bytes);
}
using atl::base64_decode;

// URL alphabet without padding: JWT, continue tokens.
std::string base64url(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace atl::crypto

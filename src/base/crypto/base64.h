#pragma once

#include <optional>
#include <string>
#include <string_view>

// RFC 4648. Encoding cannot fail; decoding is strict, so that one text has one meaning: no white
// space, no foreign characters, no bits left over, padding exactly as the alphabet demands.
namespace atl::crypto {

// Standard alphabet with padding: Secret data, basic authentication.
std::string base64(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// URL alphabet without padding: JWT, continue tokens.
std::string base64url(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace atl::crypto

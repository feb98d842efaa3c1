#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace atl {

// RFC 4648 standard alphabet with padding.
std::string base64_encode(std::string_view bytes);
// Nothing where the text is not canonical base64 (alphabet, length, padding); line breaks are
// refused.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace atl

#pragma once

#include <string>
#include <string_view>

namespace atl {

// Whether a text is well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool valid_utf8(std::string_view text);

// The text with U+FFFD for every byte that belongs to no character: for messages that quote what
// strangers sent.
std::string to_valid_utf8(std::string_view text);

}  // namespace atl

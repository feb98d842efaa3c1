#pragma once

#include <string_view>

namespace atl {

// Whether a text is well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool valid_utf8(std::string_view text);

}  // namespace atl

#include "base/text/utf8.h"

#include <cstddef>
#include <cstdint>

namespace atl {

bool valid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto c = uint8_t(text[at]);
    if (c < 0x80) {
      ++at;
      continue;
    }
    const size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || at + length > text.size()) return false;
    for (size_t i = 1; i < length; ++i) {
      if ((uint8_t(text[at + i]) & 0xc0) != 0x80) return false;
    }
    const auto second = uint8_t(text[at + 1]);
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
        (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
      return false;
    at += length;
  }
  return true;
}

}  // namespace atl

#include <cstddef>
#include <cstdint>

#include "base/net/spdy.h"

// Frames from a client, in pieces of every size: never more than what was fed, never a crash.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = size_t(data[0]) + 1;
  atl::net::spdy::Decoder decoder;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  for (size_t at = 0; at < bytes.size(); at += step) {
    decoder.feed(bytes.substr(at, step));
    for (;;) {
      const auto frame = decoder.next();
      if (!frame) return 0;
      if (!*frame) break;
      if ((*frame)->data.size() > bytes.size()) __builtin_trap();
    }
  }
  return 0;
}

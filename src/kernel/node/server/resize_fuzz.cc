#include <cstddef>
#include <cstdint>

#include "kernel/node/server/stream_session.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)atl::node::parse_resize(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}

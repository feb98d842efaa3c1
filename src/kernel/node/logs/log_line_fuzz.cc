#include <cstddef>
#include <cstdint>

#include "kernel/node/logs/container_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)atl::node::parse_log_line(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}

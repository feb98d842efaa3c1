#include <cstddef>
#include <cstdint>

#include "kernel/keeper/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  atl::keeper::Packet packet;
  packet.bytes.assign(reinterpret_cast<const char*>(data), size);
  if (!atl::keeper::check_packet(packet)) return 0;
  (void)atl::keeper::decode_create(packet);
  (void)packet.as<atl::keeper::Request>();
  return 0;
}

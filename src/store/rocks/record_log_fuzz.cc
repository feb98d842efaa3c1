// Logs, manifests and seals as a disk may give them back.
#include <cstdlib>

#include "store/rocks/record_log.h"
#include "store/rocks/seal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const store::LogContent content = store::read_log(bytes);
  if (content.readable_bytes > size) std::abort();
  for (const store::LogRecord& record : content.records) {
    if (record.start.data() < bytes.data() ||
        record.start.data() + record.start.size() > bytes.data() + size)
      std::abort();
  }
  if (const auto seal = store::decode_seal(bytes)) {
    if (store::encode_seal(*seal) != bytes) std::abort();
  }
  return 0;
}

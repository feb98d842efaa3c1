// What a disk may give back: refused, or exactly what was written.
#include <cstdlib>

#include "store/rocks/record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Revision revision{7};
  if (const auto record = store::decode_record(revision, bytes)) {
    if (store::encode_record(revision, *record) != bytes) std::abort();
  }
  (void)store::parse_index_value(bytes);
  if (const auto entry = store::parse_index_key(bytes)) {
    if (store::index_key(entry->key, entry->modified) != bytes) std::abort();
  }
  // A record that was written, with one bit turned.
  std::string stored = store::encode_record(revision, {"key", bytes, revision, Revision{3}});
  if (!store::decode_record(revision, stored)) std::abort();
  const size_t bit = size == 0 ? 0 : data[0] * 31u % (stored.size() * 8);
  stored[bit / 8] = char(stored[bit / 8] ^ (1 << (bit % 8)));
  if (store::decode_record(revision, stored)) std::abort();
  return 0;
}

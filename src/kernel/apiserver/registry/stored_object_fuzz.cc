// Values as they may lie in a damaged store: read or refused, never out of bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/apiserver/registry/stored_object.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto text = apiserver::decode_stored(value, Revision{7});
  if (text && text->size() <= apiserver::stored_text(value).size()) std::abort();
  return 0;
}

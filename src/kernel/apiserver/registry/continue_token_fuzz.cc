// Continue tokens come back from clients: what is taken must be what encoding would write.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/apiserver/registry/continue_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl::apiserver;
  const auto token = decode_continue({reinterpret_cast<const char*>(data), size});
  if (!token) return 0;
  const auto again = decode_continue(encode_continue(*token));
  if (!again || again->start != token->start || again->revision != token->revision) std::abort();
  return 0;
}

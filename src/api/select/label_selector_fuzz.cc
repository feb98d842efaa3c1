#include <cstdlib>

#include "api/select/select.h"

// What parses prints as text that parses to an equal selector.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto selector = atl::api::LabelSelector::parse({reinterpret_cast<const char*>(data), size});
  if (!selector) return 0;
  const auto again = atl::api::LabelSelector::parse(selector->text());
  if (!again || *again != *selector) abort();
  return 0;
}

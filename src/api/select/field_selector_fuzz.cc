#include "api/select/select.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto selector = atl::api::FieldSelector::parse({reinterpret_cast<const char*>(data), size});
  if (selector) (void)selector->matches([](const std::string& field) { return field; });
  return 0;
}

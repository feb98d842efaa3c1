#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/check.h"
#include "base/text/quantity.h"

// What parses prints as a text that parses to the same amount.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto quantity = atl::Quantity::parse({reinterpret_cast<const char*>(data), size});
  if (!quantity) return 0;
  const auto again = atl::Quantity::parse(quantity->text());
  // Binary amounts that are not whole print rounded up.
  if (quantity->whole() || quantity->format() != atl::Quantity::Format::kBinary) {
    CHECK(again.has_value() && *again == *quantity);
  }
  return 0;
}

#include <cstdint>
#include <cstdlib>

#include "base/text/yaml.h"

// Any bytes: no crash; what is printed reads back as the same tree.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto value = atl::yaml::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto again = atl::yaml::parse(atl::yaml::to_yaml(*value));
  if (!again || !atl::json::equal(*value, *again)) std::abort();
  return 0;
}

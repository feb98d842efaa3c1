// Any bytes as JSON: refused, or a tree whose canonical text reads back to the same text.
#include <cstdlib>

#include "base/text/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> duplicates;
  const auto tree = json::parse(text, {.max_depth = 64, .duplicate_keys = &duplicates});
  if (duplicates.size() > json::kDuplicatesMax) std::abort();
  if (!tree) return 0;
  const std::string canonical = json::serialize(*tree);
  const auto again = json::parse(canonical);
  if (!again || json::serialize(*again) != canonical) std::abort();
  if (!json::equal(*tree, *again)) std::abort();
  return 0;
}

#include <cstdint>

#include "base/text/jsonpath.h"

// Any text as a path and as a template, tried on a small document.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const atl::json::Value kRoot =
      *atl::json::parse(R"({"a":[{"b":1,"c":"x"},{"b":2}],"d":{"e":[1,2,3]},"f":"g"})");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto path = atl::JsonPath::parse(text)) path->select(kRoot);
  if (const auto page = atl::JsonPathTemplate::parse(text)) (void)page->render(kRoot);
  return 0;
}

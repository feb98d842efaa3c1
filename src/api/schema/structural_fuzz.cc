#include <cstdint>

#include "api/schema/kind.h"

// Any document as the schema of a CustomResourceDefinition, and the same document pruned and
// defaulted by it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto document = atl::json::parse({reinterpret_cast<const char*>(data), size});
  if (!document) return 0;
  atl::api::SchemaSet set;
  const auto schema = atl::api::parse_structural(set, *document, "schema");
  if (!schema) return 0;
  atl::api::to_openapi(**schema);
  atl::api::prune(**schema, *document);
  atl::api::apply_defaults(**schema, *document);
  return 0;
}

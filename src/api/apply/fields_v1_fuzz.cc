#include <cstdlib>
#include <string_view>

#include "api/apply/field_set.h"

// What decodes encodes to text that decodes to the same set, and the operations in place agree with
// it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;
  using namespace atl::api::fields;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size}, {.max_depth = 128});
  if (!value) return 0;
  const auto set = from_json(*value);
  if (!set) return 0;
  json::Object stored = to_json(*set);
  const auto again = from_json(json::Value(stored));
  if (!again || *again != *set) abort();
  set->for_each([](const Path& path) { (void)path_text(path); });
  subtract_json(stored, set->root());
  if (!stored.empty()) abort();
  unite_json(stored, set->root());
  if (json::serialize(json::Value(stored)) != json::serialize(json::Value(to_json(*set)))) abort();
  return 0;
}

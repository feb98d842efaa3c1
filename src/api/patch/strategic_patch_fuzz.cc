#include <cstdlib>
#include <string_view>

#include "api/patch/patch.h"
#include "api/schema/test_schema.h"

namespace {

using namespace atl;

const api::Schema& world() {
  static api::SchemaSet set;
  static const api::Schema* schema = api::test_schema(set, *json::parse(R"({
    "m": {"*": "string"}, "r": {"$": "retainKeys", "a": "string", "b": "string"},
    "l": ["merge=k", {"k": "string", "v": "string", "l": ["merge=k", {"k": "integer"}]}],
    "p": ["merge", "string"], "a": ["string"], "o": "any"})"));
  return *schema;
}

// Directives may stand in what was there before, but a patch never brings one in.
bool has_directive(const json::Value& value) {
  if (const json::Object* object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      if (key == "$patch" || has_directive(member)) return true;
    }
  } else if (const json::Array* array = value.if_array()) {
    for (const json::Value& item : *array) {
      if (has_directive(item)) return true;
    }
  }
  return false;
}

}  // namespace

// Input: a document, a newline, a patch.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\n');
  if (cut == std::string_view::npos) return 0;
  const auto document = json::parse(text.substr(0, cut), {.max_depth = 64});
  const auto patch = json::parse(text.substr(cut + 1), {.max_depth = 64});
  if (!document || !patch || has_directive(*document)) return 0;
  const auto patched = api::strategic_patch(world(), *document, *patch);
  if (!patched) return 0;
  if (has_directive(*patched)) abort();
  return 0;
}

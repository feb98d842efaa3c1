#include <cstdlib>
#include <string_view>

#include "api/patch/patch.h"

// Input: a document, a newline, a patch. No patch may break the bounds of its result.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\n');
  if (cut == std::string_view::npos) return 0;
  const auto document = json::parse(text.substr(0, cut), {.max_depth = 64});
  const auto patch = json::parse(text.substr(cut + 1), {.max_depth = 64});
  if (!document || !patch) return 0;
  const auto patched = api::json_patch(*document, *patch);
  if (patched && !json::parse(json::serialize(*patched),
                              {.max_depth = api::kPatchedDepthMax, .max_bytes = 1 << 26}))
    abort();
  const json::Value merged = api::merge_patch(*document, *patch);
  if (!json::equal(api::merge_patch(merged, *patch), merged))
    abort();  // applying it again changes nothing
  return 0;
}

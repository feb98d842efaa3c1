// Documents of a registry or an archive, from anybody: refused, or within the limits and
// consistent.
#include <cstdlib>

#include "oci/manifest.h"
#include "oci/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atl;  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = oci::parse_manifest(text)) {
    if (manifest->layers.size() > oci::kLayersMax) std::abort();
    for (const oci::Descriptor& layer : manifest->layers) {
      if (!oci::is_digest(layer.digest)) std::abort();
    }
    if (manifest->is_index) (void)oci::choose_platform(*manifest, "amd64");
  }
  (void)oci::parse_config(text);
  if (const auto reference = oci::parse_reference(text)) {
    const auto again = oci::parse_reference(reference->text());
    if (!again || again->text() != reference->text()) std::abort();
  }
  return 0;
}

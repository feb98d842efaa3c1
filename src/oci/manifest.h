#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text/json.h"
#include "oci/image_store.h"

// Documents of the OCI image-spec and Docker's schema 2, read strictly: every digest is checked by
// the caller.
namespace atl::oci {

inline constexpr size_t kManifestBytesMax = 4 << 20;
inline constexpr size_t kLayersMax = 512;

struct Descriptor {
  std::string media_type;
  std::string digest;
  uint64_t size = 0;
};

// A manifest of one image, or an index of several (then only `manifests` is filled).
struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;
  bool is_index = false;
  struct Entry {
    Descriptor descriptor;
    std::string os, architecture;
  };
  std::vector<Entry> manifests;
};

// kInvalid with what is wrong.
Result<Manifest> parse_manifest(std::string_view bytes);
// The entry for linux on this processor; kInvalid names the platforms there are.
Result<Descriptor> choose_platform(const Manifest& index, std::string_view architecture);

struct ParsedConfig {
  ImageConfig config;
  std::vector<std::string> diff_ids;
  std::string os, architecture;
};
Result<ParsedConfig> parse_config(std::string_view bytes);

// The architecture of this machine in the words of images: "amd64", "arm64".
std::string_view machine_architecture();

}  // namespace atl::oci

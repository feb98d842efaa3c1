#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/core/result.h"

namespace atl::node {

struct VolumeFile {
  std::string bytes;
  uint32_t mode = 0644;
  bool operator==(const VolumeFile&) const = default;
};
// By relative path: "config/app.yaml". No "..", no leading '/'.
using VolumeFiles = std::map<std::string, VolumeFile>;

// Makes the folder hold exactly these files, all of them changing at one instant: they live in a
// hidden folder that the link "..data" names, and ..data is replaced by rename. What a reader sees
// is the old set or the new one. Nothing is touched where nothing changed. Blocking. True where it
// changed. kInvalid for a path that leaves the folder.
Result<bool> write_folder(const std::string& folder, const VolumeFiles& files,
                          std::optional<uint32_t> group);

}  // namespace atl::node

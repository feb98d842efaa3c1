#pragma once

#include <string>
#include <vector>

#include "base/core/result.h"
#include "oci/unpack/tar_stream.h"

// The two jobs of atoll-unpack: the program that reads foreign archives with no privilege at all.
namespace atl::oci {

struct LayerResult {
  std::string diff_id;  // "sha256:..." of the uncompressed tar
  uint64_t bytes = 0;   // of the EROFS image
};
// One layer's tar on `in` → one EROFS image on `out`; whiteouts become overlayfs's.
Result<LayerResult> unpack_layer(int in, int out, const UnpackLimits& limits);

struct ArchiveMember {
  std::string path;    // in the archive
  std::string target;  // links: the cleaned path they point to; then there is no file
  std::string digest;  // "sha256:..." of the bytes
  uint64_t size = 0;
};
// A Docker or OCI archive on `in` → its files in the current folder, named by their number.
Result<std::vector<ArchiveMember>> unpack_archive(int in, const UnpackLimits& limits);

// Gives up everything but reading fd 0 and writing: another user, no groups, no new privileges, an
// empty root (`root`: kept as the current folder), memory and file limits, and a list of system
// calls. May open files below the current folder only where `files` is kBelowHere.
enum class FileAccess : uint8_t { kNone, kBelowHere };
Result<> enter_sandbox(FileAccess files);

}  // namespace atl::oci

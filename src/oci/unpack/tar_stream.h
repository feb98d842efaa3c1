#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "oci/unpack/erofs_writer.h"

namespace atl::oci {

struct UnpackLimits {
  uint64_t bytes = 64ull << 30;  // of unpacked content: a compression bomb ends here
  uint64_t entries = 4'000'000;
};

enum class EntryType : uint8_t { kFile, kFolder, kSymlink, kHardlink, kNode };

struct TarEntry {
  EntryType type;
  std::string path;    // relative, cleaned; "" is the root. Never contains "..".
  std::string target;  // symlinks as written; hard links cleaned
  FileInfo info;
  uint64_t size = 0;
};

// A tar archive (ustar, pax, GNU), plain or compressed by gzip or zstd, read once from start to
// end. Errors: kInvalid (not a tar, a path that leaves the archive, a limit), kUnavailable (the
// input broke off).
class TarStream {
 public:
  // Reads from `fd`, which stays the caller's.
  TarStream(int fd, UnpackLimits limits);
  ~TarStream();
  TarStream(const TarStream&) = delete;
  TarStream& operator=(const TarStream&) = delete;

  // False at the end of the archive.
  Result<bool> next(TarEntry& entry);
  // The next bytes of the current file; empty at its end. Valid until the next call.
  Result<std::string_view> read();
  // Reads what is left and gives "sha256:..." of the whole uncompressed stream.
  Result<std::string> digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "./a//b/" → "a/b"; kInvalid for ".." and NUL.
Result<std::string> clean_path(std::string_view path);

}  // namespace atl::oci

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/io/unique_fd.h"

// Files with the rules of durability in one place. Blocking; call from a pool where it matters.
namespace atl::io {

// kNotFound, kForbidden, kTooLarge past `limit`, kUnavailable otherwise.
Result<std::string> read_file(const std::string& path, size_t limit = 64 << 20);
// Write to a temporary beside it, fsync, rename, fsync of the folder: the old or the new, never
// half.
Result<> write_file_atomic(const std::string& path, std::string_view bytes, uint32_t mode);
// mkdir -p; the last folder gets the mode.
Result<> make_folders(const std::string& path, uint32_t mode);
// errno as an Error: ENOENT kNotFound, EEXIST kExists, EACCES/EPERM kForbidden,
// ENOSPC/EDQUOT/EMFILE/ENFILE/ENOMEM kExhausted, others kUnavailable. "open /x: No such file or
// directory".
Error errno_error(std::string_view what, int error);

}  // namespace atl::io

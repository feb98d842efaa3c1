#pragma once

#include <cstdint>
#include <string>

#include "base/core/result.h"

namespace atl::keeper {

// Cuts a log file that programs append to (O_APPEND) without their help: everything but the last
// block moves to FILE.1, older ones to FILE.2 … FILE.<keep>. Where the file system can take blocks
// out of the front of a file (ext4, XFS) no line is lost; elsewhere the file is truncated, which
// may lose what is written in between. True where it rotated.
Result<bool> rotate_if_large(const std::string& file, uint64_t limit_bytes, int keep);

}  // namespace atl::keeper

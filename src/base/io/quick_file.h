#pragma once

#include <string>
#include <string_view>

#include "base/core/result.h"

namespace atl::io {

// Files that must outlive their writer but not the machine: what they describe (processes,
// namespaces, who holds what) is gone after a crash of the machine too. So nothing here waits for
// the disk, which takes longer than the start of a container; after a power cut such a file may be
// empty, and its reader must do without it. Blocking, microseconds. Errors as errno_error.

// The old file or the new, never half, however its writer ends; for read_replaced(). In between
// the name may be free for a moment: file systems write a file out at once that another is renamed
// over.
Result<> replace_quickly(const std::string& path, std::string_view bytes, uint32_t mode);
Result<std::string> read_replaced(const std::string& path, size_t limit = 64 << 20);
// In place: for a file that nobody reads before the write is done.
Result<> write_quickly(const std::string& path, std::string_view bytes, uint32_t mode);

}  // namespace atl::io

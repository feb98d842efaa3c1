#pragma once

#include <string>

#include "base/core/result.h"

// Reads a store's manifest and logs before RocksDB does, for RocksDB takes damage in them for the
// torn end of a last write, and serves the older state without a word. What shows the difference:
//   - a record is begun only when the one before is on the disk (a log: each commit is one record;
//     the manifest: file_system.h sees to it), so a record behind bytes that cannot be read proves
//     that these had been written;
//   - the seal (seal.h) says up to where both files were on the disk.
// Of tables it looks at the one bit that would make RocksDB abort.
namespace atl::store {

// The folder must not be in use. kInternal: damaged; what is missing had been acknowledged.
// A manifest's end that was never finished is cut off, for RocksDB refuses some of those, and so is
// what stands behind the last record of a log: a log that stays behind later has no damaged end.
Result<> check_folder(const std::string& folder);

// Seals a finished copy, which nobody writes to: its manifest was copied as a whole.
Result<> seal_copy(const std::string& folder);

}  // namespace atl::store

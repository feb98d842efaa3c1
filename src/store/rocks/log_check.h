#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/result.h"

// Reads RocksDB's write-ahead logs before RocksDB does. RocksDB takes whatever it cannot read for
// the torn end of the last write and drops all that follows: right after a power failure, and a
// silent loss of acknowledged writes where a bit flipped. The difference can be seen: each commit
// is one record, and a record is begun only when the one before is on the disk. So a record that
// follows a gap proves that what stood in the gap had been acknowledged. Format: RocksDB's
// db/log_format.h (blocks of 32 KiB, records of fragments with a CRC-32C each) and the first 12
// bytes of a write batch (sequence number, count).
namespace atl::store {

// What a log holds: the sequence numbers of its records, in order.
struct LogRecord {
  uint64_t first = 0;  // sequence number of its first change
  uint32_t count = 0;
  bool after_gap = false;  // bytes before it could not be read
};
struct Log {
  std::vector<LogRecord> records;
  bool ends_in_gap = false;
};
Log read_log(std::string_view bytes);

// kInternal where changes are missing at a gap of the folder's logs and later ones are there. The
// last record is not looked behind: damage there reads like a write that was never finished.
Result<> check_logs(const std::string& folder);

// CRC-32C (Castagnoli), continued from `crc`.
uint32_t crc32c(uint32_t crc, std::string_view bytes);

}  // namespace atl::store

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The file format that RocksDB's write-ahead logs and its manifest share (db/log_format.h): blocks
// of 32 KiB with records in fragments, each with a CRC-32C. RocksDB takes much of what it cannot
// read for the end of the file; here the file is read to its last byte, so that the end can be told
// from damage.
namespace atl::store {

struct LogRecord {
  std::string_view start;  // of the payload: its first fragment. Points into the bytes read
  bool after_gap = false;  // bytes before it could not be read
};

struct LogContent {
  std::vector<LogRecord> records;
  uint64_t readable_bytes = 0;  // up to the end of the last record before the first gap
  bool ends_in_gap = false;     // zeros written ahead count as one
};

// Behind a gap records are looked for at every byte of a block.
LogContent read_log(std::string_view bytes);

// CRC-32C (Castagnoli), continued from `crc`.
uint32_t crc32c(uint32_t crc, std::string_view bytes);

}  // namespace atl::store

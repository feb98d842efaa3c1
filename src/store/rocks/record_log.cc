#include "store/rocks/record_log.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace atl::store {
namespace {

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kFragmentHeaderBytes = 7;  // CRC, length, type
enum Fragment : uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    table[i] = crc;
  }
  return table;
}

uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= uint32_t(uint8_t(bytes[i])) << (8 * i);
  return value;
}

// As RocksDB stores it, so that a CRC over data with CRCs in it stays a good one.
uint32_t masked(uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

struct Part {
  Fragment type;
  std::string_view payload;
};

// The fragment at `at`; nothing where there is no whole and sound one.
std::optional<Part> fragment(std::string_view bytes, size_t at) {
  const size_t room = std::min(kBlockBytes - at % kBlockBytes, bytes.size() - at);
  if (room < kFragmentHeaderBytes) return std::nullopt;
  const size_t length = little_endian(bytes.substr(at + 4, 2));
  const auto type = uint8_t(bytes[at + 6]);
  if (type < kFull || type > kLast || kFragmentHeaderBytes + length > room) return std::nullopt;
  const std::string_view covered = bytes.substr(at + 6, 1 + length);
  if (masked(crc32c(0, covered)) != little_endian(bytes.substr(at, 4))) return std::nullopt;
  return Part{Fragment(type), covered.substr(1)};
}

size_t block_end(std::string_view bytes, size_t at) {
  return std::min((at / kBlockBytes + 1) * kBlockBytes, bytes.size());
}

// Where to look on from bytes that are no fragment: byte by byte to the last of the block that is
// not zero, which is looked for once a block.
class Gap {
 public:
  size_t next_place(std::string_view bytes, size_t at) {
    const size_t end = block_end(bytes, at);
    if (end != block_end_) {
      const size_t begin = at / kBlockBytes * kBlockBytes;
      const size_t last = bytes.substr(begin, end - begin).find_last_not_of('\0');
      block_end_ = end;
      written_end_ = last == std::string_view::npos ? begin : begin + last + 1;
    }
    return at + 1 < written_end_ ? at + 1 : end;
  }

 private:
  size_t block_end_ = 0;
  size_t written_end_ = 0;
};

// Puts fragments together.
class Assembly {
 public:
  void take(const Part& part, size_t end) {
    if (part.type == kFull || part.type == kFirst) open_ = LogRecord{part.payload, gap_};
    if (!open_ || (part.type != kFull && part.type != kLast)) return;
    content_.records.push_back(*std::exchange(open_, std::nullopt));
    gap_ = false;
    if (!damaged_) content_.readable_bytes = end;
  }
  void gap() {
    open_.reset();
    gap_ = damaged_ = true;
  }
  LogContent finish() {
    content_.ends_in_gap = gap_;
    return std::move(content_);
  }

 private:
  LogContent content_;
  std::optional<LogRecord> open_;  // its last fragment has not come yet
  bool gap_ = false;               // since the last record
  bool damaged_ = false;           // anywhere so far
};

}  // namespace

uint32_t crc32c(uint32_t crc, std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  crc = ~crc;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ uint8_t(c)) & 0xff];
  return ~crc;
}

LogContent read_log(std::string_view bytes) {
  Assembly records;
  Gap gap;
  for (size_t at = 0; at < bytes.size();) {
    if (const auto part = fragment(bytes, at)) {
      at += kFragmentHeaderBytes + part->payload.size();
      records.take(*part, at);
    } else if (kBlockBytes - at % kBlockBytes < kFragmentHeaderBytes) {
      at = block_end(bytes, at);  // padding
    } else {
      records.gap();
      at = gap.next_place(bytes, at);
    }
  }
  return records.finish();
}

}  // namespace atl::store

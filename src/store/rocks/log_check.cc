#include "store/rocks/log_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/io/files.h"

namespace atl::store {
namespace {

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kFragmentHeaderBytes = 7;  // CRC, length, type
constexpr size_t kBatchHeaderBytes = 12;
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

uint64_t read_number(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value |= uint64_t(uint8_t(bytes[at + i])) << (8 * i);
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
  const size_t length = read_number(bytes, at + 4, 2);
  const auto type = uint8_t(bytes[at + 6]);
  if (type < kFull || type > kLast || kFragmentHeaderBytes + length > room) return std::nullopt;
  const std::string_view covered = bytes.substr(at + 6, 1 + length);
  if (masked(crc32c(0, covered)) != read_number(bytes, at, 4)) return std::nullopt;
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

// The logs of a folder, oldest first.
Result<std::vector<std::filesystem::path>> logs_of(const std::string& folder) {
  std::vector<std::pair<uint64_t, std::filesystem::path>> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".log")) continue;
    uint64_t number = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
    if (read.ptr == name.data() + name.size() - 4) found.emplace_back(number, entry.path());
  }
  if (failed && failed != std::errc::no_such_file_or_directory)
    return Error(Code::kUnavailable, "read the store in " + folder + ": " + failed.message());
  std::sort(found.begin(), found.end());
  std::vector<std::filesystem::path> logs;
  for (auto& [number, path] : found) logs.push_back(std::move(path));
  return logs;
}

}  // namespace

uint32_t crc32c(uint32_t crc, std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  crc = ~crc;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ uint8_t(c)) & 0xff];
  return ~crc;
}

Log read_log(std::string_view bytes) {
  Log log;
  std::optional<LogRecord> open;  // its last fragment has not come yet
  Gap gap;
  for (size_t at = 0; at < bytes.size();) {
    const auto part = fragment(bytes, at);
    if (!part) {
      // Padding at a block's end, zeros, or damage, behind which a record may begin at any byte.
      const bool padding = kBlockBytes - at % kBlockBytes < kFragmentHeaderBytes;
      if (!padding) {
        open.reset();
        log.ends_in_gap = true;
      }
      at = padding ? block_end(bytes, at) : gap.next_place(bytes, at);
      continue;
    }
    at += kFragmentHeaderBytes + part->payload.size();
    const bool begins = part->type == kFull || part->type == kFirst;
    if (begins) open.reset();
    if (begins && part->payload.size() >= kBatchHeaderBytes) {
      open = LogRecord{read_number(part->payload, 0, 8), uint32_t(read_number(part->payload, 8, 4)),
                       log.ends_in_gap};
    }
    if (open && (part->type == kFull || part->type == kLast)) {
      log.records.push_back(*std::exchange(open, std::nullopt));
      log.ends_in_gap = false;
    }
  }
  return log;
}

Result<> check_logs(const std::string& folder) {
  TRY(const auto files, logs_of(folder));
  std::optional<uint64_t> expected;
  bool gap = false;  // since the last record that could be read
  for (const std::filesystem::path& file : files) {
    TRY(const std::string bytes, io::read_file(file));
    const Log log = read_log(bytes);
    for (const LogRecord& record : log.records) {
      gap = gap || record.after_gap;
      if (expected ? gap && record.first > *expected : record.after_gap) {
        return Error(Code::kInternal,
                     fmt::format("the log of the store is damaged at or before {}: changes before "
                                 "number {} are missing; restore the store from a backup",
                                 file.string(), record.first));
      }
      gap = false;
      expected = record.first + record.count;
    }
    gap = gap || log.ends_in_gap;
  }
  return Unit{};
}

}  // namespace atl::store

#include "store/rocks/folder_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "base/io/files.h"
#include "store/rocks/record_log.h"
#include "store/rocks/seal.h"

namespace atl::store {
namespace {

namespace fs = std::filesystem;

// A commit may be larger than any buffer, and its log with it.
constexpr size_t kAnySize = SIZE_MAX;

Error damaged(const std::string& path, std::string_view what) {
  return Error(Code::kInternal,
               fmt::format("{} is damaged: {}; restore the store from a backup", path, what));
}

// The manifest that the file CURRENT names.
Result<std::string> current_manifest(const std::string& folder) {
  const std::string current = folder + "/CURRENT";
  TRY(const std::string text, io::read_file(current));
  const std::string name = text.substr(0, text.find('\n'));
  if (text != name + "\n" || !manifest_number(name))
    return damaged(current, "it names no manifest");
  if (!fs::exists(folder + "/" + name))
    return damaged(current, "it names " + name + ", which is not there");
  return folder + "/" + name;
}

// Takes away what is behind the last record that can be read.
Result<> cut(const std::string& path, uint64_t readable_bytes) {
  std::error_code failed;
  fs::resize_file(path, readable_bytes, failed);
  if (failed) return Error(Code::kUnavailable, "cut " + path + ": " + failed.message());
  return Unit{};
}

Result<> check_manifest(const std::string& path, const std::optional<Seal>& seal) {
  const uint64_t number = *manifest_number(path);
  if (seal && seal->manifest > number)
    return damaged(fs::path(path).parent_path() / "CURRENT",
                   "it names an older manifest than was in use");
  TRY(const std::string bytes, io::read_file(path, kAnySize));
  const LogContent content = read_log(bytes);
  const bool sealed = seal && seal->manifest == number;
  const bool later = std::any_of(content.records.begin(), content.records.end(),
                                 [](const LogRecord& record) { return record.after_gap; });
  if (later || (sealed && content.readable_bytes < seal->manifest_bytes)) {
    return damaged(path,
                   fmt::format("what stands behind byte {} was on the disk and cannot be read",
                               content.readable_bytes));
  }
  if (sealed && content.readable_bytes < bytes.size()) return cut(path, content.readable_bytes);
  return Unit{};
}

// RocksDB reads a table's properties before it looks at their checksum. A build with assertions, as
// Debian's is, aborts where the bit is set that would announce a hash index in them: the highest of
// the 4 bytes that close the block. Behind these stand its trailer of 5 bytes and the index of such
// blocks, which begins with 3 bytes of lengths and this name. All else is left to RocksDB.
Result<> check_table(const std::string& path) {
  constexpr std::string_view kName = "rocksdb.properties";
  constexpr size_t kTailBytes = 512;
  constexpr size_t kFlagBytesBefore = 3 + 5 + 1;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = std::max<std::streamoff>(file.tellg(), 0);
  std::string tail(std::min<size_t>(size_t(size), kTailBytes), '\0');
  file.seekg(size - std::streamoff(tail.size()));
  file.read(tail.data(), std::streamsize(tail.size()));
  if (!file) return Error(Code::kUnavailable, "the table " + path + " cannot be read");
  const size_t name = tail.rfind(kName);
  if (name == std::string::npos || name < kFlagBytesBefore) return Unit{};
  if (uint8_t(tail[name - kFlagBytesBefore]) & 0x80)
    return damaged(path, "its properties cannot be read");
  return Unit{};
}

// A log's record is a write batch: 8 bytes number of its first change, 4 bytes count of changes.
struct Batch {
  uint64_t first = 0;
  uint64_t end = 0;
};
std::optional<Batch> batch_of(std::string_view record) {
  if (record.size() < 12) return std::nullopt;
  const auto number = [&](size_t at, int size) {
    uint64_t value = 0;
    for (int i = size - 1; i >= 0; --i) value = value << 8 | uint8_t(record[at + size_t(i)]);
    return value;
  };
  const uint64_t first = number(0, 8);
  return Batch{first, first + number(8, 4)};
}

// Goes through the logs, oldest first.
class LogsCheck {
 public:
  explicit LogsCheck(std::optional<Seal> seal) : seal_(seal) {}

  // How many bytes of the log can be read.
  Result<uint64_t> take(uint64_t number, const std::string& path) {
    TRY(const std::string bytes, io::read_file(path, kAnySize));
    const LogContent content = read_log(bytes);
    if (seal_ && seal_->log == number && content.readable_bytes < seal_->log_bytes) {
      return damaged(path, fmt::format("of {} acknowledged bytes {} can be read", seal_->log_bytes,
                                       content.readable_bytes));
    }
    for (const LogRecord& record : content.records) {
      gap_ = gap_ || record.after_gap;
      const auto batch = batch_of(record.start);
      if (!batch) continue;
      if (next_ ? gap_ && batch->first > *next_ : record.after_gap) {
        return damaged(path, fmt::format("changes before number {} are missing in it or in a log "
                                         "before it",
                                         batch->first));
      }
      gap_ = false;
      next_ = batch->end;
    }
    gap_ = gap_ || content.ends_in_gap;
    return content.readable_bytes;
  }

 private:
  const std::optional<Seal> seal_;
  std::optional<uint64_t> next_;  // number of the change to come
  bool gap_ = false;              // since the last record
};

}  // namespace

Result<> check_folder(const std::string& folder) {
  std::vector<std::pair<uint64_t, std::string>> logs;
  std::vector<std::string> tables;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const std::string path = entry.path();
    if (const auto number = log_number(path)) logs.emplace_back(*number, path);
    if (path.ends_with(".sst")) tables.push_back(path);
  }
  if (failed == std::errc::no_such_file_or_directory) return Unit{};
  if (failed)
    return Error(Code::kUnavailable, "read the store in " + folder + ": " + failed.message());
  const auto seal = read_seal(folder);
  if (fs::exists(folder + "/CURRENT")) {
    TRY(const std::string manifest, current_manifest(folder));
    TRY_OK(check_manifest(manifest, seal));
  } else if (seal || !tables.empty() || !logs.empty()) {
    return damaged(folder, "the file CURRENT is missing");  // RocksDB would begin an empty store
  }
  for (const std::string& table : tables) TRY_OK(check_table(table));
  std::sort(logs.begin(), logs.end());
  LogsCheck check(seal);
  std::vector<uint64_t> readable;
  for (const auto& [number, path] : logs) {
    TRY(const uint64_t bytes, check.take(number, path));
    readable.push_back(bytes);
  }
  // All is well: what a kill left behind the records goes. RocksDB deletes logs that it needs no
  // more, newest first: where the power fails between two, an older one stays beside one that
  // begins later, and only without a damaged end is it known that nothing is missing in it.
  for (size_t i = 0; i < logs.size(); ++i) TRY_OK(cut(logs[i].second, readable[i]));
  return Unit{};
}

Result<> seal_copy(const std::string& folder) {
  TRY(const std::string manifest, current_manifest(folder));
  TRY(const std::string bytes, io::read_file(manifest, kAnySize));
  if (read_log(bytes).readable_bytes != bytes.size())
    return damaged(manifest, "the copy cannot be read to its end");
  const Seal seal{.manifest = *manifest_number(manifest), .manifest_bytes = bytes.size()};
  return io::write_file_atomic(seal_path(folder), encode_seal(seal), 0600);
}

}  // namespace atl::store

#include "store/rocks/seal.h"

#include <charconv>

#include "base/io/files.h"
#include "store/rocks/record_log.h"

namespace atl::store {
namespace {

constexpr std::string_view kMagic = "atoseal1";
constexpr size_t kChecksumBytes = 4;
constexpr size_t kSealBytes = kMagic.size() + 4 * 8 + kChecksumBytes;

void put_number(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += char(value >> shift & 0xff);
}

uint64_t take_number(std::string_view& bytes, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | uint8_t(bytes[i]);
  bytes.remove_prefix(size);
  return value;
}

std::optional<uint64_t> number_between(std::string_view path, std::string_view prefix,
                                       std::string_view suffix) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() < suffix.size()) return std::nullopt;
  name.remove_suffix(suffix.size());
  uint64_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (read.ec != std::errc() || read.ptr != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string encode_seal(const Seal& seal) {
  std::string out(kMagic);
  for (const uint64_t value : {seal.manifest, seal.manifest_bytes, seal.log, seal.log_bytes})
    put_number(out, value, 8);
  put_number(out, crc32c(0, out), kChecksumBytes);
  return out;
}

std::optional<Seal> decode_seal(std::string_view bytes) {
  if (bytes.size() != kSealBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  const uint32_t crc = crc32c(0, bytes.substr(0, kSealBytes - kChecksumBytes));
  bytes.remove_prefix(kMagic.size());
  Seal seal;
  for (uint64_t* value : {&seal.manifest, &seal.manifest_bytes, &seal.log, &seal.log_bytes})
    *value = take_number(bytes, 8);
  if (take_number(bytes, kChecksumBytes) != crc) return std::nullopt;
  return seal;
}

std::string seal_path(const std::string& folder) {
  return folder + "/seal";
}

std::optional<Seal> read_seal(const std::string& folder) {
  const auto bytes = io::read_file(seal_path(folder));
  return bytes ? decode_seal(*bytes) : std::nullopt;
}

std::optional<uint64_t> log_number(std::string_view path) {
  return number_between(path, "", ".log");
}
std::optional<uint64_t> manifest_number(std::string_view path) {
  return number_between(path, "MANIFEST-", "");
}

SealWriter::~SealWriter() {
  if (file_) file_->Sync({}, nullptr).PermitUncheckedError();
}

void SealWriter::log_synced(uint64_t number, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (number < seal_.log) return;  // an older log that is synced once more
  seal_.log = number;
  seal_.log_bytes = bytes;
  write();
}

void SealWriter::manifest_synced(uint64_t number, uint64_t bytes) {
  rocksdb::FSWritableFile* file = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (file_ && number != seal_.manifest) return;
    seal_.manifest = number;
    seal_.manifest_bytes = bytes;
    write();
    file = file_.get();
  }
  // Rare, and not on the path of a commit: durable at once.
  if (file) file->Sync({}, nullptr).PermitUncheckedError();
}

rocksdb::IOStatus SealWriter::begin() {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  auto status = disk_->NewWritableFile(seal_path(folder_), {}, &file, nullptr);
  if (status.ok()) status = file->PositionedAppend(encode_seal(seal_), 0, {}, nullptr);
  if (status.ok()) status = file->Sync({}, nullptr);
  if (status.ok()) file_ = std::move(file);
  return status;
}

void SealWriter::write() {
  if (file_) file_->PositionedAppend(encode_seal(seal_), 0, {}, nullptr).PermitUncheckedError();
}

}  // namespace atl::store

#include "store/rocks/record.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstring>

namespace atl::store {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint8_t kDeleted = 1;
// CRC, format, flags, length of the key, created, previous.
constexpr size_t kHeaderBytes = 4 + 1 + 1 + 2 + 8 + 8;

void put_u64(char* out, uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) out[i] = char(value & 0xff);
}

uint64_t get_u64(const char* in) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | uint8_t(in[i]);
  return value;
}

constexpr size_t kChecksumBytes = 4;

// CRC-32 over the revision and everything behind the checksum itself, piece by piece.
uint32_t checksum(Revision revision, std::initializer_list<std::string_view> pieces) {
  char prefix[8];
  put_u64(prefix, revision.value);
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(prefix), sizeof prefix);
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;  // zlib takes a null pointer for a new beginning
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(piece.data()), piece.size());
  }
  return uint32_t(crc);
}

Error corrupt(Revision revision, std::string_view why) {
  return Error(Code::kInternal,
               fmt::format("the stored version {} is damaged ({}); restore the store from a backup",
                           revision.value, why));
}

}  // namespace

std::string version_key(Revision revision) {
  std::string out(8, '\0');
  put_u64(out.data(), revision.value);
  return out;
}

Result<Revision> parse_version_key(std::string_view bytes) {
  if (bytes.size() != 8)
    return Error(Code::kInternal,
                 "a revision in the store is damaged; restore the store from a backup");
  return Revision{get_u64(bytes.data())};
}

Error missing_version(Revision revision) {
  return Error(Code::kInternal,
               fmt::format("the stored version {} is missing; restore the store from a backup",
                           revision.value));
}

std::string index_key(std::string_view key, Revision revision) {
  std::string out(key);
  out.resize(key.size() + 9);
  put_u64(out.data() + key.size() + 1, ~revision.value);
  return out;
}

Result<IndexEntry> parse_index_key(std::string_view bytes) {
  if (bytes.size() < 10 || bytes[bytes.size() - 9] != '\0')
    return Error(Code::kInternal,
                 "the key index of the store is damaged; restore the store from a backup");
  return IndexEntry{bytes.substr(0, bytes.size() - 9), {~get_u64(bytes.data() + bytes.size() - 8)}};
}

std::string index_value(bool deleted, Revision created) {
  std::string out(9, '\0');
  out[0] = deleted ? 1 : 0;
  put_u64(out.data() + 1, created.value);
  return out;
}

Result<IndexState> parse_index_value(std::string_view bytes) {
  if (bytes.size() != 9 || uint8_t(bytes[0]) > 1)
    return Error(Code::kInternal,
                 "the key index of the store is damaged; restore the store from a backup");
  return IndexState{bytes[0] == 1, {get_u64(bytes.data() + 1)}};
}

std::string record_header(Revision revision, const Record& record) {
  std::string out(kHeaderBytes, '\0');
  out[4] = char(kFormat);
  out[5] = record.value ? 0 : char(kDeleted);
  out[6] = char(record.key.size() >> 8);
  out[7] = char(record.key.size() & 0xff);
  put_u64(out.data() + 8, record.created.value);
  put_u64(out.data() + 16, record.previous.value);
  const uint32_t crc = checksum(revision, {std::string_view(out).substr(kChecksumBytes), record.key,
                                           record.value.value_or(std::string_view())});
  std::memcpy(out.data(), &crc, sizeof crc);
  return out;
}

std::string encode_record(Revision revision, const Record& record) {
  std::string out = record_header(revision, record);
  out += record.key;
  if (record.value) out += *record.value;
  return out;
}

Result<Record> decode_record(Revision revision, std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return corrupt(revision, "too short");
  uint32_t stored = 0;
  std::memcpy(&stored, bytes.data(), sizeof stored);
  if (stored != checksum(revision, {bytes.substr(kChecksumBytes)}))
    return corrupt(revision, "its checksum does not match");
  if (uint8_t(bytes[4]) != kFormat) return corrupt(revision, "its format is unknown");
  const size_t key_bytes = size_t(uint8_t(bytes[6])) << 8 | uint8_t(bytes[7]);
  if (kHeaderBytes + key_bytes > bytes.size()) return corrupt(revision, "its key is cut");
  Record record{bytes.substr(kHeaderBytes, key_bytes),
                std::nullopt,
                {get_u64(bytes.data() + 8)},
                {get_u64(bytes.data() + 16)}};
  if (!(uint8_t(bytes[5]) & kDeleted)) record.value = bytes.substr(kHeaderBytes + key_bytes);
  return record;
}

}  // namespace atl::store

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"
#include "base/core/revision.h"

// What the RocksDB engine writes: docs/formats/store-rocks.md.
namespace atl::store {

// One version of one key: the value of the `versions` column family.
struct Record {
  std::string_view key;
  std::optional<std::string_view> value;  // nothing: deleted
  Revision created;
  Revision previous;  // the version before it, 0: none
};

// 8 bytes, big-endian: revisions sort as numbers.
std::string version_key(Revision revision);
// kInternal where the bytes are none.
Result<Revision> parse_version_key(std::string_view bytes);
// Of a version that must be there and is not.
Error missing_version(Revision revision);

// The `keys` column family: user key, NUL, inverted revision (so that the newest comes first).
std::string index_key(std::string_view key, Revision revision);
// kInternal where the bytes are no index key.
struct IndexEntry {
  std::string_view key;
  Revision modified;
};
Result<IndexEntry> parse_index_key(std::string_view bytes);

// The index value: whether the version is a deletion, and its `created`.
std::string index_value(bool deleted, Revision created);
struct IndexState {
  bool deleted = false;
  Revision created;
};
Result<IndexState> parse_index_value(std::string_view bytes);

// What stands before key and value. The checksum in it covers the revision, the key, the value and
// every header field.
std::string record_header(Revision revision, const Record& record);
// Header, key and value in one.
std::string encode_record(Revision revision, const Record& record);
// kInternal where a bit flipped; the views point into `bytes`.
Result<Record> decode_record(Revision revision, std::string_view bytes);

}  // namespace atl::store

#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/conditions.h"
#include "store/rocks/record.h"
#include "store/rocks/rocks_store.h"
#include "store/store.h"

namespace atl::store {

// RocksDB as versions and keys: reading, and the words for its errors. Thread-safe (RocksDB is).
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const RocksOptions& options);
  ~Database();

  struct Bounds {
    Revision newest, compacted;
  };
  // What is on disk at open.
  Result<Bounds> bounds() const;

  // Looks up keys of one commit: the state on disk when it was made.
  class KeyReader {
   public:
    // The newest version of a key.
    Result<KeyState> state_of(std::string_view key);

   private:
    friend class Database;
    explicit KeyReader(std::unique_ptr<rocksdb::Iterator> it) : it_(std::move(it)) {}
    std::unique_ptr<rocksdb::Iterator> it_;
  };
  KeyReader key_reader() const;
  // The version that a state names.
  Result<Stored> load(std::string_view key, const KeyState& state) const;
  Result<std::optional<Stored>> get(const std::string& key, Revision at) const;
  Result<Range> range(const RangeQuery& query, Revision at) const;
  Result<std::vector<Event>> history(const std::string& prefix, Revision from, Revision to,
                                     size_t limit) const;

  // Removes what nobody can read once `at` is the oldest revision, about a thousand entries in one
  // commit, and remembers how far that went: the answer, `at` at the end.
  Result<Revision> compact_some(Revision from, Revision at);
  Result<> backup(const std::string& folder) const;
  Result<> commit(rocksdb::WriteBatch& batch);

  rocksdb::ColumnFamilyHandle* versions() const { return versions_; }
  rocksdb::ColumnFamilyHandle* keys() const { return keys_; }

 private:
  Database(std::unique_ptr<rocksdb::Env> env, std::unique_ptr<rocksdb::DB> db)
      : env_(std::move(env)), db_(std::move(db)) {}
  // Writes the format into a new store, refuses another one.
  Result<> check_format(const std::string& folder);
  std::unique_ptr<rocksdb::Iterator> iterator(rocksdb::ColumnFamilyHandle* family) const;
  Result<Event> event_at(Revision revision, std::string_view bytes) const;

  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* versions_ = nullptr;
  rocksdb::ColumnFamilyHandle* keys_ = nullptr;
};

// kExhausted for a full disk, kInternal for damage, kUnavailable otherwise.
Error rocks_error(std::string_view what, const rocksdb::Status& status);

}  // namespace atl::store

#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace rocksdb {
class FileSystem;
}

namespace atl::store {

struct RocksOptions {
  std::string folder;             // made when missing
  size_t batch_max = 512;         // writes in one durable commit
  size_t cache_bytes = 2 << 20;   // of blocks read from disk; what is hot is in the watch cache
  size_t buffer_bytes = 4 << 20;  // of one memtable
  std::shared_ptr<rocksdb::FileSystem> disk;  // null: the machine's. For tests that lose power
};

// The production engine: RocksDB with three column families: `versions` (by revision), `keys`
// (key → revisions) and the bounds of both. A committer thread takes all waiting writes, checks
// their conditions, and makes one synced commit of them; replies and events then run on `executor`.
// One process at a time (RocksDB's lock file): open() of a folder in use is kUnavailable.
class RocksStore {
 public:
  static Result<std::unique_ptr<Store>> open(Executor executor, RocksOptions options);
};

}  // namespace atl::store

#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/core/result.h"

// How long RocksDB's manifest and its newest log were when they were last on the disk, kept in a
// file of its own (`seal`, docs/formats/store-rocks.md). A last record that cannot be read is a
// write that was never finished, or an acknowledged one that is damaged: the seal knows which.
//
// It is written after each sync of either file, and before the commit is acknowledged. So whichever
// state of it is found later, what it says was on the disk was there, and it may say too little but
// never too much. It costs no sync of its own: after kill -9 it is complete, and after a power
// failure as old as what the machine had not written back by itself.
namespace atl::store {

struct Seal {
  uint64_t manifest = 0;  // numbers in the names of the files; 0: none
  uint64_t manifest_bytes = 0;
  uint64_t log = 0;
  uint64_t log_bytes = 0;

  friend bool operator==(const Seal&, const Seal&) = default;
};

std::string encode_seal(const Seal& seal);
// Nothing where the bytes are no seal: it may be torn, and without one less is known.
std::optional<Seal> decode_seal(std::string_view bytes);

std::string seal_path(const std::string& folder);
std::optional<Seal> read_seal(const std::string& folder);

// The number in `000012.log` or `MANIFEST-000005`, with folders before it; nothing of other names.
std::optional<uint64_t> log_number(std::string_view path);
std::optional<uint64_t> manifest_number(std::string_view path);

// Keeps the seal of a store in use. Thread-safe. What cannot be written is left: the seal that
// stands then says too little.
class SealWriter {
 public:
  SealWriter(std::shared_ptr<rocksdb::FileSystem> disk, std::string folder)
      : disk_(std::move(disk)), folder_(std::move(folder)) {}
  ~SealWriter();
  SealWriter(const SealWriter&) = delete;
  SealWriter& operator=(const SealWriter&) = delete;

  // So much of a file is on the disk.
  void log_synced(uint64_t number, uint64_t bytes);
  void manifest_synced(uint64_t number, uint64_t bytes);

  // RocksDB is open, so that its file CURRENT names the manifest that was synced last: seals are
  // written from now on. A manifest that is begun later (after an error) is sealed at the next
  // open, for it cannot be seen from here when CURRENT names it.
  rocksdb::IOStatus begin();

 private:
  void write();

  const std::shared_ptr<rocksdb::FileSystem> disk_;
  const std::string folder_;
  std::mutex mutex_;
  Seal seal_;
  std::unique_ptr<rocksdb::FSWritableFile> file_;  // null before begin()
};

}  // namespace atl::store

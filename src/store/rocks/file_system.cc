#include "store/rocks/file_system.h"

#include <algorithm>
#include <atomic>
#include <string>

namespace atl::store {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr uint64_t kPrepareBytes = 256 * 1024;
constexpr uint64_t kSmallAppendBytes = 32 * 1024;

// One log file: append-only for RocksDB, written in place below. Used by one thread at a time, as
// RocksDB promises, but for Sync(), which may run beside an append.
class LogFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  LogFile(std::unique_ptr<rocksdb::FSWritableFile> file, uint64_t number, SealWriter& seal)
      : FSWritableFileOwnerWrapper(std::move(file)), number_(number), seal_(seal) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (size_ + data.size() > prepared_ && data.size() <= kSmallAppendBytes) {
      static const std::string kZeros(kPrepareBytes, '\0');
      const uint64_t from = std::max<uint64_t>(size_, prepared_);
      IOStatus status = target()->PositionedAppend(kZeros, from, options, debug);
      if (!status.ok()) return status;
      prepared_ = from + kPrepareBytes;
    }
    IOStatus status = target()->PositionedAppend(data, size_, options, debug);
    if (status.ok()) size_ += data.size();
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const uint64_t size = size_;  // what is appended meanwhile may not be on the disk
    IOStatus status = target()->Sync(options, debug);
    if (status.ok()) seal_.log_synced(number_, size);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = target()->Truncate(size, options, debug);
    if (status.ok()) size_ = prepared_ = size;
    return status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    IOStatus cut = target()->Truncate(size_, options, debug);
    IOStatus closed = FSWritableFileOwnerWrapper::Close(options, debug);
    return cut.ok() ? closed : cut;
  }
  // What RocksDB would do to the same end.
  void SetPreallocationBlockSize(size_t) override {}
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  const uint64_t number_;
  SealWriter& seal_;
  std::atomic<uint64_t> size_ = 0;  // of the records
  uint64_t prepared_ = 0;           // of the file, zeros behind the records included
};

// One manifest, used by one thread at a time. It is in use from its first sync on: before that
// RocksDB copies the state of the manifest before it.
class ManifestFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ManifestFile(std::unique_ptr<rocksdb::FSWritableFile> file, uint64_t number, SealWriter& seal)
      : FSWritableFileOwnerWrapper(std::move(file)), number_(number), seal_(seal) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (synced_ > 0 && synced_ < size_) {
      IOStatus before = Sync(options, debug);
      if (!before.ok()) return before;
    }
    IOStatus status = target()->Append(data, options, debug);
    if (status.ok()) size_ += data.size();
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = target()->Sync(options, debug);
    if (!status.ok()) return status;
    synced_ = size_;
    seal_.manifest_synced(number_, synced_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  const uint64_t number_;
  SealWriter& seal_;
  uint64_t size_ = 0;
  uint64_t synced_ = 0;
};

class StoreFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  StoreFileSystem(const std::shared_ptr<rocksdb::FileSystem>& disk,
                  std::shared_ptr<SealWriter> seal)
      : FileSystemWrapper(disk), seal_(std::move(seal)) {}
  const char* Name() const override { return "atoll-store"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    IOStatus status = target()->NewWritableFile(name, options, file, debug);
    if (!status.ok()) return status;
    if (const auto log = log_number(name)) {
      *file = std::make_unique<LogFile>(std::move(*file), *log, *seal_);
    } else if (const auto manifest = manifest_number(name)) {
      *file = std::make_unique<ManifestFile>(std::move(*file), *manifest, *seal_);
    }
    return status;
  }

 private:
  const std::shared_ptr<SealWriter> seal_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> store_file_system(std::shared_ptr<rocksdb::FileSystem> disk,
                                                       std::shared_ptr<SealWriter> seal) {
  return std::make_shared<StoreFileSystem>(std::move(disk), std::move(seal));
}

}  // namespace atl::store

#include "store/rocks/wal_file_system.h"

#include <algorithm>
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
// RocksDB promises; Sync() may run beside an append, and does not touch what is kept here.
class LogFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  explicit LogFile(std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (size_ + data.size() > prepared_ && data.size() <= kSmallAppendBytes) {
      static const std::string kZeros(kPrepareBytes, '\0');
      const uint64_t from = std::max(size_, prepared_);
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
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = target()->Truncate(size, options, debug);
    if (status.ok()) prepared_ = size_ = size;
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
  uint64_t size_ = 0;      // of the records
  uint64_t prepared_ = 0;  // of the file, zeros behind the records included
};

class PreparingFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "atoll-prepared-logs"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    IOStatus status = target()->NewWritableFile(name, options, file, debug);
    if (status.ok() && name.ends_with(".log")) *file = std::make_unique<LogFile>(std::move(*file));
    return status;
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> prepare_logs(std::shared_ptr<rocksdb::FileSystem> disk) {
  return std::make_shared<PreparingFileSystem>(disk);
}

}  // namespace atl::store

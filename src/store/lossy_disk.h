#pragma once

#include <rocksdb/file_system.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/core/rng.h"

// A disk for tests that loses power: what was not synced is then kept, undone or torn, sector by
// sector, and files that were made since their folder was synced may be gone. Over the machine's
// file system, whose own syncs it does not wait for; thread-safe as RocksDB wants it.
namespace atl::store {

class LossyDisk final : public rocksdb::FileSystemWrapper {
 public:
  using IOStatus = rocksdb::IOStatus;
  using IOOptions = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;
  LossyDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "lossy"; }

  // After this many more writes and syncs all fail: what is left then is what kill -9 leaves.
  void fail_after(uint64_t operations) {
    const std::lock_guard lock(mutex_);
    left_ = operations;
  }
  // From now on the disk says that it synced, and did not.
  void lie() { lying_ = true; }
  // Leaves the files as a power failure may. Nobody may have them open.
  void lose_power(Rng& rng) {
    for (const auto& [name, unsynced] : unsynced_) undo_some(name, unsynced, rng);
    for (const std::string& name : made_) {
      if (rng.below(2) == 0) std::filesystem::remove(name);
    }
  }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* debug) override {
    if (!spend()) return no_power();
    IOStatus status = target()->NewWritableFile(name, options, file, debug);
    if (!status.ok()) return status;
    const std::lock_guard lock(mutex_);
    unsynced_.erase(name);
    made_.insert(name);
    *file = std::make_unique<File>(*this, name, std::move(*file));
    return status;
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* folder, Debug* debug) override {
    IOStatus status = target()->NewDirectory(name, options, folder, debug);
    if (status.ok()) *folder = std::make_unique<Folder>(*this, name);
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      Debug* debug) override {
    if (!spend()) return no_power();
    const std::lock_guard lock(mutex_);
    if (auto moved = unsynced_.extract(from)) {
      unsynced_.erase(to);
      moved.key() = to;
      unsynced_.insert(std::move(moved));
    }
    made_.erase(from);
    return target()->RenameFile(from, to, options, debug);
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options, Debug* debug) override {
    if (!spend()) return no_power();
    const std::lock_guard lock(mutex_);
    unsynced_.erase(name);
    made_.erase(name);
    return target()->DeleteFile(name, options, debug);
  }

 private:
  static constexpr uint64_t kSectorBytes = 512;
  // A write that is not synced, and what stood in its place: less than its size at the file's end.
  struct Unsynced {
    uint64_t offset, size;
    std::string before;
  };

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(LossyDisk& disk, std::string name, std::unique_ptr<rocksdb::FSWritableFile> file)
        : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), name_(std::move(name)) {}

    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, Debug* debug) override {
      if (!disk_.note_write(name_, size_, data.size())) return no_power();
      size_ += data.size();
      return target()->Append(data, options, debug);
    }
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                    const rocksdb::DataVerificationInfo&, Debug* debug) override {
      return Append(data, options, debug);
    }
    IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions& options,
                              Debug* debug) override {
      if (!disk_.note_write(name_, offset, data.size())) return no_power();
      return target()->PositionedAppend(data, offset, options, debug);
    }
    IOStatus Sync(const IOOptions&, Debug*) override {
      if (!disk_.spend()) return no_power();
      disk_.note_sync(name_);
      return IOStatus::OK();
    }
    IOStatus Fsync(const IOOptions& options, Debug* debug) override { return Sync(options, debug); }
    IOStatus Truncate(uint64_t size, const IOOptions& options, Debug* debug) override {
      if (!disk_.spend()) return no_power();
      return target()->Truncate(size, options, debug);
    }

   private:
    LossyDisk& disk_;
    const std::string name_;
    uint64_t size_ = 0;  // of what was appended
  };

  class Folder final : public rocksdb::FSDirectory {
   public:
    Folder(LossyDisk& disk, std::string name) : disk_(disk), name_(std::move(name)) {}
    IOStatus Fsync(const IOOptions&, Debug*) override {
      if (!disk_.spend()) return no_power();
      disk_.note_folder_sync(name_);
      return IOStatus::OK();
    }

   private:
    LossyDisk& disk_;
    const std::string name_;
  };

  static IOStatus no_power() { return IOStatus::IOError("the power is gone"); }

  bool spend() {
    const std::lock_guard lock(mutex_);
    return left_ > 0 && --left_ > 0;
  }
  bool note_write(const std::string& name, uint64_t offset, uint64_t size) {
    if (!spend()) return false;
    std::string before(size, '\0');
    std::ifstream file(name, std::ios::binary);
    file.seekg(std::streamoff(offset));
    file.read(before.data(), std::streamsize(size));
    before.resize(size_t(std::max<std::streamsize>(file.gcount(), 0)));
    const std::lock_guard lock(mutex_);
    unsynced_[name].push_back({offset, size, std::move(before)});
    return true;
  }
  void note_sync(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (!lying_) unsynced_.erase(name);
  }
  void note_folder_sync(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    std::erase_if(made_, [&](const std::string& name) {
      return std::filesystem::path(name).parent_path() == std::filesystem::path(folder);
    });
  }

  // Takes back a random choice of sectors, the latest write first, and a random part of the growth.
  static void undo_some(const std::string& name, const std::vector<Unsynced>& writes, Rng& rng) {
    std::ifstream in(name, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(in), {}};
    size_t synced = content.size();
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
      synced = std::min<size_t>(synced, write->offset + write->before.size());
      const uint64_t choice = rng.below(3);  // keep all, none, or some
      const uint64_t end = std::min<uint64_t>(write->offset + write->size, content.size());
      for (uint64_t from = write->offset; from < end;) {
        const uint64_t to = std::min((from / kSectorBytes + 1) * kSectorBytes, end);
        const bool undo = choice == 1 || (choice == 2 && rng.below(2) == 0);
        for (uint64_t i = from; undo && i < to; ++i) {
          const uint64_t inside = i - write->offset;
          content[i] = inside < write->before.size() ? write->before[inside] : '\0';
        }
        from = to;
      }
    }
    if (content.size() > synced && rng.below(2) == 0)
      content.resize(synced + rng.below(content.size() - synced));
    std::ofstream(name, std::ios::binary | std::ios::trunc) << content;
  }

  std::mutex mutex_;
  std::map<std::string, std::vector<Unsynced>> unsynced_;
  std::set<std::string> made_;  // since their folder was synced
  uint64_t left_ = UINT64_MAX;
  bool lying_ = false;
};

}  // namespace atl::store

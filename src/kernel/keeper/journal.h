#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/core/result.h"
#include "base/io/unique_fd.h"
#include "kernel/keeper/protocol.h"

namespace atl::keeper {

inline constexpr size_t kPathBytes = 256;

// Everything the keeper knows about a container that survives the keeper itself.
struct ContainerRecord {
  ContainerInfo info;
  uint32_t flags = 0;
  uint32_t reserved = 0;
  char runtime[kPathBytes] = {};
  char state_folder[kPathBytes] = {};
  char bundle[kPathBytes * 2] = {};
};

using ContainerRecords = std::map<std::string, ContainerRecord, std::less<>>;

// The keeper's only durable state: a file of fixed records, each the whole state of one container
// or its removal, the last one of an id counts. An exit is synced before anybody hears of it;
// creations and starts are written without a sync (they matter only while the machine lives). A
// torn tail is cut off when the file is opened, and a record that was written in part is written
// over by the next. Rewritten when most of it is history. Owned by the
// keeper, one thread. Errors: kExhausted (disk full), kUnavailable. Format:
// docs/formats/keeper-journal.md.
class Journal {
 public:
  // Reads what is there into `records`. The folder must exist.
  static Result<Journal> open(std::string file, ContainerRecords& records);

  // Takes the disk's room for so many records more, so that a disk that others fill cannot keep
  // them out. File systems that cannot do that (Unit all the same) give no such promise.
  Result<> reserve(size_t records);
  Result<> put(const ContainerRecord& record);
  // The same, and on disk when it returns.
  Result<> put_durable(const ContainerRecord& record);
  Result<> remove(std::string_view id);
  // Rewrites the file when more than kSlack records are history.
  Result<> compact_if_large(const ContainerRecords& records);

  static constexpr size_t kSlack = 2'000;

 private:
  Journal(std::string file, io::UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}
  Result<> append(const ContainerRecord& record, uint32_t kind);

  std::string file_;
  io::UniqueFd fd_;
  uint64_t sequence_ = 0;
  size_t written_ = 0;   // records in the file
  size_t reserved_ = 0;  // records that the file has room for
};

}  // namespace atl::keeper

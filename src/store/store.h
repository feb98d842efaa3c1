#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/async/task.h"
#include "base/core/bytes.h"
#include "base/core/revision.h"

// An ordered map of keys to bytes with one global revision, its recent past, and durable writes.
// The engines rocks/ (production) and memory/ (simulation, faults on demand) pass one suite.
namespace atl::store {

// One key at one revision.
struct Stored {
  std::string key;
  SharedBytes value;
  Revision created;   // first write since the key last did not exist
  Revision modified;  // this write
};

// What the writer of a value knows of it anyhow, so that listeners need not read the value again.
// Handed from the write to its event within this process; never stored, and missing in history().
struct WriterNote {
  virtual ~WriterNote() = default;
};
using WriterNotePtr = std::shared_ptr<const WriterNote>;

// One committed change.
struct Event {
  enum class Type : uint8_t { kPut, kDelete };
  Type type;
  Stored now;                      // kDelete: value is null, modified is the deletion's revision
  std::optional<Stored> previous;  // the key before the change
  WriterNotePtr note = nullptr;    // the write's
};

// A conditional change. Without `expected` the change is unconditional.
struct Write {
  std::string key;
  std::optional<std::string> value;  // nothing: delete
  // The key's `modified` must equal it; revision 0: the key must not exist.
  // A failed condition is kConflict (kExists where 0 was expected, kNotFound where the key is
  // gone).
  std::optional<Revision> expected;
  WriterNotePtr note = nullptr;
};

struct RangeQuery {
  std::string begin;
  std::string end;   // exclusive; empty: to the last key
  size_t limit = 0;  // 0: no limit
  Revision at;       // 0: now. kGone where compacted, kInvalid where in the future
};

struct Range {
  std::vector<Stored> items;
  Revision revision;  // the state that was read
  bool more = false;  // the limit cut it
};

// The smallest key behind every key with this prefix.
std::string prefix_end(std::string_view prefix);

// Owned by main(); used from one executor. Writers are batched: many writes, one durable commit.
// No reply is given and no event published before the commit is durable.
// Errors beyond those of Write: kExhausted (disk full; nothing was written), kUnavailable (I/O
// error: read-only from then on), kInternal (a checksum does not match; the value is never served).
class Store {
 public:
  virtual ~Store() = default;

  // Commits; returns what was published. A deletion of a missing key is kNotFound.
  virtual Task<Event> write(Write write) = 0;
  // All or nothing, each with a revision of its own, next to each other.
  virtual Task<std::vector<Event>> write_all(std::vector<Write> writes) = 0;

  virtual Task<std::optional<Stored>> get(std::string key, Revision at = {}) = 0;
  virtual Task<Range> range(RangeQuery query) = 0;

  // The newest durable revision, and the oldest whose state can still be read.
  virtual Revision revision() const = 0;
  virtual Revision compacted() const = 0;

  // Called on the store's executor with every committed event in the order of revisions, before the
  // write's own coroutine continues. Lives as long as the returned handle. Must not block.
  using Listener = std::function<void(std::span<const Event>)>;
  virtual std::shared_ptr<void> subscribe(Listener listener) = 0;
  // Past events after `from`, oldest first, at most `limit`. kGone where compacted.
  virtual Task<std::vector<Event>> history(std::string prefix, Revision from, size_t limit) = 0;

  // Forgets states before `at` (the newest value of every key stays).
  virtual Task<> compact(Revision at) = 0;
  // A consistent copy in a folder that must not exist; open() of that folder is the restore.
  virtual Task<> backup(std::string folder) = 0;
  // Waits for writes under way; later calls are kUnavailable.
  virtual Task<> close() = 0;
};

}  // namespace atl::store

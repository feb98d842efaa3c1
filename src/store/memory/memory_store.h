#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "store/conditions.h"
#include "store/listeners.h"
#include "store/store.h"

namespace atl::store {

// What a test may do to a commit: nothing, or an Error (kExhausted, kUnavailable) for the n-th one.
struct MemoryFaults {
  std::function<std::optional<Error>(uint64_t commit_number)> on_commit;
};

// The engine for simulation: everything in memory, gone with the object. One executor.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(MemoryFaults faults = {}) : faults_(std::move(faults)) {}

  Task<Event> write(Write write) override;
  Task<std::vector<Event>> write_all(std::vector<Write> writes) override;
  Task<std::optional<Stored>> get(std::string key, Revision at) override;
  Task<Range> range(RangeQuery query) override;
  Revision revision() const override { return newest_; }
  Revision compacted() const override { return compacted_; }
  std::shared_ptr<void> subscribe(Listener listener) override {
    return listeners_.add(std::move(listener));
  }
  Task<std::vector<Event>> history(std::string prefix, Revision from, size_t limit) override;
  Task<> compact(Revision at) override;
  // kMethodNotAllowed: there is nothing on disk.
  Task<> backup(std::string folder) override;
  Task<> close() override;

 private:
  struct Version {
    Revision created, modified;
    SharedBytes value;  // null: deleted here
  };
  using Versions = std::vector<Version>;  // oldest first

  Result<std::vector<Event>> commit(std::vector<Write> writes);
  KeyState state_of(const std::string& key) const;
  Event append(Write write, Revision revision);
  static const Version* visible(const Versions& versions, Revision at);
  Event event_at(Revision revision) const;

  MemoryFaults faults_;
  std::map<std::string, Versions, std::less<>> keys_;
  std::map<Revision, std::string> log_;  // revision → key
  Revision newest_, compacted_;
  uint64_t commits_ = 0;
  bool closed_ = false;
  Listeners listeners_;
};

}  // namespace atl::store

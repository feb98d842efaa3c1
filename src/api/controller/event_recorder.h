#pragma once

#include <deque>
#include <list>
#include <string>
#include <unordered_map>

#include "api/cache/seams.h"
#include "api/client/client.h"
#include "base/async/task_group.h"

namespace atl::api {

enum class EventLevel : uint8_t { kNormal, kWarning };

// Writes v1 Events, what `kubectl describe` shows below an object. Never waits and never fails the
// caller: notes go through a bounded queue to one task; at overflow and on errors they are dropped
// and counted. The same note again raises the count of its Event; many alike become one; an object
// that talks too much is silenced (25 at once, then one each five minutes).
// Owned by a controller's wiring; stopped before it is destroyed. One executor.
class EventRecorder {
 public:
  // `component` stands in source.component: "deployment-controller".
  EventRecorder(Client& client, Seams seams, std::string component);

  // `field_path`: the part of it that is meant, "spec.containers{web}"; empty: all of it.
  void note(const Object& about, EventLevel level, std::string reason, std::string message,
            std::string field_path = {});

  // Waits until everything noted so far is written. For tests and orderly ends.
  Async<void> flush();
  Async<void> stop();
  uint64_t written() const { return written_; }
  uint64_t dropped() const { return dropped_; }

 private:
  static constexpr size_t kQueueMax = 1000;
  static constexpr size_t kKnownMax = 4096;
  static constexpr size_t kSimilarMax = 10;
  static constexpr Duration kSimilarWindow = std::chrono::minutes(10);
  static constexpr double kBurst = 25;
  static constexpr Duration kRefill = std::chrono::minutes(5);

  struct Note {
    json::Value involved;
    std::string ns;
    std::string name;
    std::string identity;  // involved object and field, component, type, reason
    EventLevel level;
    std::string reason;
    std::string message;
    WallTime at;
  };
  // What was written before under one identity.
  struct Known {
    ObjectKey key;
    int64_t count = 0;
  };
  struct Similar {
    std::vector<std::string> messages;
    WallTime last;
  };
  struct Budget {
    double tokens = kBurst;
    WallTime last;
  };

  bool allowed(const std::string& object, WallTime now);
  void aggregate(Note& note);
  void remember(const std::string& identity, Known known);
  Async<void> run();
  Async<void> write(Note note);
  json::Value document(const Note& note, const std::string& name) const;

  Client& client_;
  Seams seams_;
  std::string component_;
  std::deque<Note> queue_;
  std::unordered_map<std::string, Known> known_;
  std::list<std::string> order_;  // of known_, oldest first
  std::unordered_map<std::string, Similar> similar_;
  std::unordered_map<std::string, Budget> budgets_;
  TaskGroup tasks_;
  Event idle_;
  bool writing_ = false;
  uint64_t written_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace atl::api

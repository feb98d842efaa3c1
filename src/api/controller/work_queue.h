#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "api/cache/backoff.h"
#include "api/cache/seams.h"
#include "api/object/names.h"
#include "base/async/event.h"

namespace atl::api {

// Keys that need a look. A key stands in it once, is handed to one worker at a time, and comes back
// after that worker when it was added meanwhile. Delays and retries with growing back-off for each
// key. Owned by a ControllerLoop; one executor. Nothing polls: workers sleep until the next due
// moment.
class WorkQueue {
 public:
  static constexpr Backoff::Options kRetry{.first = std::chrono::milliseconds(5),
                                           .most = std::chrono::minutes(1)};

  explicit WorkQueue(Seams seams, Backoff::Options retry = kRetry) : seams_(seams), retry_(retry) {}

  void add(const ObjectKey& key);
  // Not before `delay`; an earlier moment that is set already stands.
  void add_after(const ObjectKey& key, Duration delay);
  // After a failure: each one in a row waits longer.
  void retry(const ObjectKey& key);
  void forget(const ObjectKey& key) { failures_.erase(key); }

  // The next key; nothing once the queue is closed or the waiter cancelled. Ends with done().
  Async<std::optional<ObjectKey>> next();
  void done(const ObjectKey& key);
  void close();

  size_t depth() const { return ready_.size(); }
  size_t delayed() const { return due_.size(); }
  size_t failing() const { return failures_.size(); }
  uint64_t adds() const { return adds_; }
  uint64_t retries() const { return retries_; }
  int failures(const ObjectKey& key) const;

 private:
  void release_due();
  void wake() { changed_.notify(); }

  Seams seams_;
  Backoff::Options retry_;
  std::deque<ObjectKey> ready_;
  std::set<ObjectKey> waiting_;  // in ready_, or to come back after done()
  std::set<ObjectKey> taken_;
  std::multimap<MonoTime, ObjectKey> by_time_;
  std::map<ObjectKey, MonoTime> due_;
  std::map<ObjectKey, int> failures_;
  Event changed_;
  bool closed_ = false;
  uint64_t adds_ = 0;
  uint64_t retries_ = 0;
};

}  // namespace atl::api

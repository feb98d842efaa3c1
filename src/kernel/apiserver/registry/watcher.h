#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async/task.h"
#include "base/async/timer.h"
#include "kernel/apiserver/registry/call.h"
#include "kernel/apiserver/registry/watch_cache.h"

namespace atl::apiserver {

// One open watch: a cursor into the changes of a resource. It holds no queue of its own, so a
// thousand idle watchers cost nothing when something changes that they did not ask for. One that is
// slower than the window of changes is served from the store's history, and gets kGone once that is
// compacted.
// Owned by the request that serves it; one executor. Cancel the request to end it.
class Watcher {
 public:
  struct Item {
    api::EventType type;
    CachedPtr object;          // null for a bookmark
    ChangePtr change;          // null for the initial state; shares encoded frames between watchers
    Revision revision;         // what has been seen, this item included
    bool initial_end = false;  // the bookmark behind the initial events
    bool quiet = false;        // nothing happened until the time that next() was given
  };

  // `ns` empty: all namespaces. kGone where the revision is too old.
  static Task<std::unique_ptr<Watcher>> open(WatchCache& cache, const Timer& timer,
                                             std::string group, std::string resource,
                                             std::string ns, WatchQuery query);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Nothing when the watch's time is over; kCancelled when its request was cancelled. Returns a
  // quiet item at `until` where nothing happened before.
  Task<std::optional<Item>> next(MonoTime until = MonoTime::max());

 private:
  Watcher(WatchCache& cache, const Timer& timer, ResourceCache& resource, std::string prefix,
          std::string ns, WatchQuery query);
  bool concerns(const Cached& object) const;
  bool wants(const Change& change) const;
  std::optional<Item> classify(const ChangePtr& change) const;
  void take_initial_state();
  Result<std::optional<Item>> next_ready();
  Task<> read_history();
  std::optional<Item> due_bookmark();

  WatchCache& cache_;
  const Timer& timer_;
  ResourceCache& resource_;
  const std::string prefix_;
  const std::string ns_;
  const WatchQuery query_;
  Subscriber subscriber_;
  std::list<Subscriber*>::iterator place_;  // among the resource's

  std::vector<CachedPtr> initial_;
  size_t initial_at_ = 0;
  Revision initial_revision_;
  bool initial_end_due_ = false;

  std::vector<ChangePtr> backlog_;  // older than the window, from the store
  size_t backlog_at_ = 0;
  std::optional<Revision> behind_;  // history has to be read from here on
  Revision skip_until_;             // a start in the future: changes up to here are not wanted
  uint64_t cursor_ = 0;
  Revision seen_;  // every change up to here was looked at

  MonoTime deadline_;
  MonoTime bookmark_at_;
};

}  // namespace atl::apiserver

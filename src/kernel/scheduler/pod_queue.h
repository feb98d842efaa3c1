#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "api/cache/backoff.h"
#include "api/cache/seams.h"
#include "base/async/event.h"
#include "kernel/scheduler/pod_info.h"

namespace atl::scheduler {

// Pods that wait for a node, in three places: ready to be tried (by priority, then by arrival),
// tried in vain and waiting for a change of the cluster, and waiting out a back-off (1 s, doubling,
// at most 10 s). A change moves all of the second kind. Nothing polls. One executor.
class PodQueue {
 public:
  explicit PodQueue(api::Seams seams) : seams_(seams) {}

  // A pod that is new or changed. One whose scheduling does not depend on the change stays where it
  // is.
  void add(const PodPtr& pod);
  void remove(const std::string& uid);
  // The next to try; nothing once closed or cancelled. It is out of the queue until failed() or
  // retry().
  Async<std::optional<PodPtr>> next();
  // It fits nowhere: waits for a change.
  void failed(const PodPtr& pod);
  // Something went wrong: again after a back-off.
  void retry(const PodPtr& pod);
  // A node or a placed pod changed so that others may fit.
  void cluster_changed();
  void close();

  size_t active() const { return active_.size(); }
  size_t backing_off() const { return by_time_.size(); }
  size_t unschedulable() const { return unschedulable_.size(); }

 private:
  enum class Place : uint8_t { kActive, kUnschedulable, kBackoff, kOut };
  struct Entry {
    PodPtr pod;
    Place place = Place::kOut;
    uint64_t arrival = 0;
    int attempts = 0;
    MonoTime ready_at{};  // end of the back-off
  };
  using Rank = std::tuple<int64_t, uint64_t, std::string>;  // -priority, arrival, uid

  Rank rank(const Entry& entry) const {
    return {-entry.pod->priority, entry.arrival, entry.pod->uid()};
  }
  void take_out(Entry& entry);
  void put_active(Entry& entry);
  void put_after_backoff(Entry& entry);
  void start_backoff(Entry& entry);

  api::Seams seams_;
  std::map<std::string, Entry> entries_;  // by uid
  std::set<Rank> active_;
  std::set<std::string> unschedulable_;
  std::set<std::pair<MonoTime, std::string>> by_time_;
  uint64_t arrivals_ = 0;
  Event changed_;
  bool closed_ = false;
};

}  // namespace atl::scheduler

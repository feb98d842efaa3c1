#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/cache/seams.h"
#include "api/client/client.h"
#include "base/async/task_group.h"

namespace atl::api {

// What a Lease says. Times by the holder's clock.
struct LeaseView {
  std::string holder;  // empty: nobody
  Duration lasts{0};
  std::string renewed;  // as text: only whether it changes matters
  int64_t transitions = 0;
};
LeaseView view_lease(const Object& lease);

// Whether a candidate may take a lease. Pure. `unchanged_for`: how long the candidate has seen the
// lease as it is, by its own clock: clocks of different machines are never compared.
bool may_take(const LeaseView& lease, const std::string& candidate, Duration unchanged_for);

// One of several processes works at a time: the one that holds a Lease of coordination.k8s.io and
// keeps renewing it. A holder that cannot renew stops before others may take over. Not needed where
// one process is all there is. Owned by the wiring; one executor.
class LeaderElection {
 public:
  struct Options {
    ObjectKey lease;       // "kube-system/atoll-controllers"
    std::string identity;  // of this process, unique
    Duration lasts = std::chrono::seconds(15);
    Duration give_up = std::chrono::seconds(10);  // without a renewal; less than lasts
    Duration retry = std::chrono::seconds(2);
  };
  LeaderElection(Client& client, Seams seams, Options options);

  // Waits for the lease, runs `lead` while holding it, and starts over when the lease is lost.
  // `lead` is cancelled on loss and must end soon.
  void start(std::function<Async<void>()> lead);
  // Ends the work, then gives the lease back, so that the next holder need not wait.
  Async<void> stop();

  bool leading() const { return leading_; }
  // Who holds the lease, as last seen.
  const std::string& holder() const { return seen_.holder; }

 private:
  Async<void> run();
  // True: we hold it, freshly renewed.
  Task<bool> try_take();
  Async<void> keep();
  Task<ObjectPtr> write(ObjectPtr old, std::string holder);
  void look(const ObjectPtr& lease);

  Client& client_;
  Seams seams_;
  Options options_;
  LeaseView seen_;
  MonoTime seen_since_{};
  bool leading_ = false;
  std::function<Async<void>()> lead_;
  TaskGroup election_;
  std::unique_ptr<TaskGroup> work_;  // while leading
};

}  // namespace atl::api

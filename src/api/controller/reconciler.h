#pragma once

#include <string_view>
#include <vector>

#include "api/cache/informer.h"
#include "api/controller/work_queue.h"

namespace atl::api {

// What a reconcile that did not fail asks for.
struct Outcome {
  Duration again = Duration(0);  // 0: only when something changes
  static Outcome done() { return {}; }
  static Outcome again_after(Duration wait) { return {wait}; }
  bool operator==(const Outcome&) const = default;
};

// Keeps something true about each key. Level-triggered: reconcile() looks at what is, never at what
// happened. Idempotent: it may run at any time, twice, after a crash. Built by the process's
// wiring, outlives its loop. One executor.
class Reconciler {
 public:
  virtual ~Reconciler() = default;
  virtual std::string_view name() const = 0;
  // The informers that must have synced before the first reconcile.
  virtual std::vector<Informer*> inputs() = 0;
  // Hangs handlers on the informers that put keys on the queue. Called once, before the loop
  // starts.
  virtual void watch(WorkQueue& queue) = 0;
  // Never runs twice at a time for one key. An error is retried with back-off.
  virtual Task<Outcome> reconcile(ObjectKey key) = 0;
};

}  // namespace atl::api

#pragma once

#include <string>

#include "api/controller/reconciler.h"
#include "base/async/task_group.h"

namespace atl::api {

// Counts since the start, for metrics and health.
struct ControllerStats {
  uint64_t reconciles = 0;
  uint64_t errors = 0;
  uint64_t conflicts = 0;  // lost races, part of errors
  Duration busy{0};        // summed time of all reconciles
  Duration slowest{0};
  std::string last_error;
  WallTime last_error_at{};
};

// Runs one reconciler: a queue and its workers. Owned by the wiring; stopped before it is
// destroyed.
class ControllerLoop {
 public:
  struct Options {
    int workers = 2;
    Backoff::Options retry = WorkQueue::kRetry;
  };
  ControllerLoop(Reconciler& reconciler, Seams seams, Options options);

  void start();
  Async<void> stop();

  std::string_view name() const { return reconciler_.name(); }
  const ControllerStats& stats() const { return stats_; }
  WorkQueue& queue() { return queue_; }
  bool synced() const { return synced_; }
  // kUnavailable, with what is missing, until its workers run, and once one of them has ended.
  Result<> ready() const;
  // "deployment: 12 reconciles, queue 0" or what is wrong: one line for people.
  std::string health() const;

 private:
  Async<void> run();
  Async<void> work();
  Async<void> handle(ObjectKey key);
  void note_error(const ObjectKey& key, const Error& error);

  Reconciler& reconciler_;
  Seams seams_;
  Options options_;
  WorkQueue queue_;
  TaskGroup tasks_;
  ControllerStats stats_;
  bool started_ = false;
  bool synced_ = false;
};

}  // namespace atl::api

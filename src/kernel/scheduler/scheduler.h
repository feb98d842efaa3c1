#pragma once

#include <string>

#include "api/cache/informer_set.h"
#include "api/controller/event_recorder.h"
#include "base/async/task_group.h"
#include "kernel/scheduler/cluster_state.h"
#include "kernel/scheduler/pod_queue.h"

namespace atl::scheduler {

struct SchedulerStats {
  uint64_t scheduled = 0;
  uint64_t unschedulable = 0;  // attempts that found no node
  uint64_t errors = 0;         // bindings that failed
  std::string last_error;
};

// Gives each pod without a node the best one that fits, or says in one sentence why there is none.
// Watches Pod, Node, Namespace. Writes pods/binding, Pod.status (condition PodScheduled). Events:
// Scheduled, FailedScheduling. Decisions are made one after the other on a copy of the cluster in
// memory; bindings are written many at a time. It does not evict pods of lower priority to make
// room. Owned by the wiring; stopped before the informers' end and before it is destroyed.
class Scheduler {
 public:
  struct Options {
    std::string name = "default-scheduler";  // pods with this spec.schedulerName
    size_t bindings_at_once = 64;
  };
  Scheduler(api::Client& client, api::InformerSet& informers, api::Seams seams,
            api::EventRecorder& events, Options options);

  void start();
  Async<void> stop();
  const SchedulerStats& stats() const { return stats_; }
  const PodQueue& queue() const { return queue_; }
  // kUnavailable until it has its first lists, and once its loop has ended.
  Result<> ready() const;
  // "scheduler: 12 scheduled, 0 waiting" or what is wrong.
  std::string health() const;

 private:
  void on_pod(const api::ObjectPtr& before, const api::ObjectPtr& now);
  void on_placed(const PodPtr& pod);
  void on_waiting(const PodPtr& pod);
  void on_gone(const std::string& uid);
  void on_node(const api::ObjectKey& key, const api::ObjectPtr& now);
  Async<void> run();
  void try_one(const PodPtr& pod);
  Async<void> bind(PodPtr pod, std::string node);
  Async<void> tell(PodPtr pod, std::string message);
  Task<> write_condition(PodPtr pod, std::string message);

  api::Client& client_;
  api::Seams seams_;
  api::EventRecorder& events_;
  Options options_;
  api::Informer& pods_;
  api::Informer& nodes_;
  api::Informer& namespaces_;
  ClusterState cluster_;
  PodQueue queue_;
  TaskGroup tasks_;
  Event bound_;
  SchedulerStats stats_;
  size_t binding_ = 0;
  bool synced_ = false, running_ = false;
};

}  // namespace atl::scheduler

#pragma once

#include <functional>
#include <string>

#include "base/async/event.h"
#include "base/async/task_group.h"
#include "base/async/timer.h"
#include "kernel/node/pod/contained.h"

namespace atl::node {

// The background work of one pod, and the bell that wakes its loop. What a task throws is told, and
// the task runs again (contained.h).
//
// Owned by PodWorker; stop() before it is destroyed. One executor.
class PodTasks {
 public:
  using Told = std::function<void(const std::string& task, const std::string& fault)>;
  // `told` hears of every fault, on the executor.
  PodTasks(const Executor& executor, Timer& timer, Told told);

  void spawn(const std::string& name, std::function<Async<void>()> body);
  // The same in a group of the caller's: a container's pumps and probes end with its run.
  void spawn_in(TaskGroup& group, const std::string& name, std::function<Async<void>()> body,
                Again again);
  bool stopping() const { return group_.stopping(); }
  Async<void> stop() { return group_.stop(); }

  void poke();
  // Until somebody poked since the last begin_round(), or the time is over.
  void begin_round() { poked_ = false; }
  Async<void> wait_for_poke(Duration limit);

 private:
  Timer& timer_;
  Told told_;
  bool poked_ = true;
  Event news_;
  TaskGroup group_;
};

}  // namespace atl::node

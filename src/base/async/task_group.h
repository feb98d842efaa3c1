#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/async/event.h"
#include "base/async/task.h"

namespace atl {

// The background work of one object: refuses new work once stopping, cancels what runs, joins it.
// Nothing in Atoll is detached; a class with background work owns one of these and a stop().
// One executor only. Destroyed only after stop() returned (or when nothing was ever spawned).
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Runs a coroutine function; the group keeps the function (its captures) alive until the
  // coroutine ended. False when the group is stopping: nothing was started.
  bool spawn(std::string name, std::function<Async<void>()> body);
  // The same; calling what it returns cancels this coroutine alone, and does nothing once that
  // ended. Empty when the group is stopping.
  std::function<void()> spawn_cancellable(std::string name, std::function<Async<void>()> body);

  // Cancels everything and waits for it. May be called more than once.
  Async<void> stop();

  size_t running() const { return tasks_.size(); }
  bool stopping() const { return stopping_; }
  const Executor& executor() const { return executor_; }

 private:
  struct Running;
  std::shared_ptr<Running> start(std::string name, std::function<Async<void>()> body);
  Executor executor_;
  std::list<std::shared_ptr<Running>> tasks_;
  Event idle_;
  bool stopping_ = false;
};

}  // namespace atl

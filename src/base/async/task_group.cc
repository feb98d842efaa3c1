#include "base/async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "base/core/check.h"

namespace atl {
namespace {

// A cancelled coroutine ends by an exception at its next co_await: that is how stop() works, no
// fault.
void rethrow_unless_cancelled(std::exception_ptr failure) {
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted) throw;
  }
}

}  // namespace

struct TaskGroup::Running {
  std::string name;
  std::function<Async<void>()> body;
  asio::cancellation_signal cancel;
  std::list<std::shared_ptr<Running>>::iterator place;
};

TaskGroup::TaskGroup(Executor executor) : executor_(std::move(executor)) {}
TaskGroup::~TaskGroup() {
  CHECK(tasks_.empty());
}

std::shared_ptr<TaskGroup::Running> TaskGroup::start(std::string name,
                                                     std::function<Async<void>()> body) {
  if (stopping_) return nullptr;
  auto task = std::make_shared<Running>();
  task->name = std::move(name);
  task->body = std::move(body);
  task->place = tasks_.insert(tasks_.end(), task);
  asio::co_spawn(
      executor_, task->body(),
      asio::bind_cancellation_slot(task->cancel.slot(), [this, task](std::exception_ptr failure) {
        tasks_.erase(task->place);
        if (tasks_.empty()) idle_.notify();
        rethrow_unless_cancelled(failure);
      }));
  return task;
}

bool TaskGroup::spawn(std::string name, std::function<Async<void>()> body) {
  return start(std::move(name), std::move(body)) != nullptr;
}

std::function<void()> TaskGroup::spawn_cancellable(std::string name,
                                                   std::function<Async<void>()> body) {
  std::weak_ptr<Running> task = start(std::move(name), std::move(body));
  if (task.expired()) return {};
  return [task] {
    const auto running = task.lock();
    if (running) running->cancel.emit(asio::cancellation_type::terminal);
  };
}

Async<void> TaskGroup::stop() {
  stopping_ = true;
  // emit() may end a task, which removes it from the list: walk over a copy.
  const auto snapshot = tasks_;
  for (const auto& task : snapshot) task->cancel.emit(asio::cancellation_type::terminal);
  while (!tasks_.empty()) {
    const bool woken = co_await idle_.wait();
    if (!woken) break;
  }
}

}  // namespace atl

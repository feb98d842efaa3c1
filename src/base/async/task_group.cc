#include "base/async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "base/core/check.h"

namespace atl {

struct TaskGroup::Running {
  std::string name;
  std::function<Async<void>()> body;
  asio::cancellation_signal cancel;
};

TaskGroup::TaskGroup(Executor executor) : executor_(std::move(executor)) {}
TaskGroup::~TaskGroup() { CHECK(tasks_.empty()); }

bool TaskGroup::spawn(std::string name, std::function<Async<void>()> body) {
  if (stopping_) return false;
  auto task = std::make_shared<Running>();
  task->name = std::move(name);
  task->body = std::move(body);
  tasks_.push_back(task);
  asio::co_spawn(executor_, task->body(),
                 asio::bind_cancellation_slot(task->cancel.slot(), [this, task](std::exception_ptr failure) {
                   tasks_.remove(task);
                   if (tasks_.empty()) idle_.notify();
                   if (failure) std::rethrow_exception(failure);
                 }));
  return true;
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

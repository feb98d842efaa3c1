#include "kernel/node/pod/pod_tasks.h"

namespace atl::node {

PodTasks::PodTasks(const Executor& executor, Timer& timer, Told told)
    : timer_(timer), told_(std::move(told)), group_(executor) {}

void PodTasks::spawn(const std::string& name, std::function<Async<void>()> body) {
  spawn_in(group_, name, std::move(body), Again::kUntilDone);
}

void PodTasks::spawn_in(TaskGroup& group, const std::string& name,
                        std::function<Async<void>()> body, Again again) {
  group.spawn(name, [this, name, again, body = std::move(body)] {
    return contained(
        timer_, body, [this, name](const std::string& fault) { told_(name, fault); }, again);
  });
}

void PodTasks::poke() {
  poked_ = true;
  news_.notify();
}

Async<void> PodTasks::wait_for_poke(Duration limit) {
  if (!poked_ && limit > Duration::zero()) co_await news_.wait_for(timer_, limit);
}

}  // namespace atl::node

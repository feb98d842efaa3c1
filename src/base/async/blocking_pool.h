#pragma once

#include <functional>
#include <memory>

#include "base/async/task.h"

namespace atl {

// Threads for work that blocks: fsync, unpacking, password hashes, netlink. Bounded: one more
// job waits in a queue. Owned by main(); outlives the loop's users.
class BlockingPool {
 public:
  explicit BlockingPool(size_t threads);
  ~BlockingPool();  // waits for the running jobs

  // Runs `job` on a pool thread; the caller continues on its own executor.
  // `job` must not touch state of the caller's executor.
  template <class F, class T = std::invoke_result_t<F>>
  Async<T> run(F job) {
    std::shared_ptr<std::optional<T>> out = std::make_shared<std::optional<T>>();
    co_await submit([job = std::move(job), out]() mutable { out->emplace(job()); });
    co_return std::move(**out);
  }

 private:
  Async<void> submit(std::function<void()> job);
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace atl

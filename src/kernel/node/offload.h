#pragma once

#include <type_traits>
#include <utility>

#include "base/async/blocking_pool.h"

namespace atl::node {

// Where file-system work runs: a pool, or, in simulated time, right here.
class Offload {
 public:
  Offload() : pool_(nullptr) {}
  explicit Offload(BlockingPool* pool) : pool_(pool) {}

  template <class F, class T = std::invoke_result_t<F>>
  Async<T> run(F job) const {
    if (!pool_) co_return job();
    co_return co_await pool_->run(std::move(job));
  }

 private:
  BlockingPool* pool_;
};

}  // namespace atl::node

#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/async/blocking_pool.h"

namespace atl::node {

// Where file-system work runs: a pool, or, in simulated time, right here.
class Offload {
 public:
  Offload() : pool_(nullptr) {}
  explicit Offload(BlockingPool* pool) : pool_(pool) {}

  // What the job throws is thrown to who waits for it, not into a thread of the pool.
  template <class F, class T = std::invoke_result_t<F>>
  Async<T> run(F job) const {
    if (!pool_) co_return job();
    auto done = co_await pool_->run([job = std::move(job)]() mutable {
      Outcome<T> out;
      try {
        out.value.emplace(job());
      } catch (...) {
        out.fault = std::current_exception();
      }
      return out;
    });
    if (done.fault) std::rethrow_exception(done.fault);
    co_return *std::move(done.value);
  }

 private:
  template <class T>
  struct Outcome {
    std::optional<T> value;
    std::exception_ptr fault;
  };
  BlockingPool* pool_;
};

}  // namespace atl::node

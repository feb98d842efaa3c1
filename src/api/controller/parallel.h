#pragma once

#include <functional>
#include <vector>

#include "base/async/task.h"

namespace atl::api {

// Runs all jobs at once on the caller's executor and waits for all of them; results in order. A
// cancellation of the caller cancels the jobs. The jobs live until the last one ended.
Async<std::vector<Result<>>> run_all(std::vector<std::function<Task<>()>> jobs);

// Runs `count` jobs in batches of 1, 2, 4 ..., and stops after a batch in which one failed: so that
// what fails for a common reason (a quota) fails once, not a thousand times. Returns how many
// succeeded, and the first error.
struct BatchResult {
  size_t succeeded = 0;
  std::vector<Error> errors;
};
Async<BatchResult> run_in_slow_start(size_t count, std::function<Task<>(size_t index)> job);

}  // namespace atl::api

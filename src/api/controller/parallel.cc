#include "api/controller/parallel.h"

#include <algorithm>
#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl::api {

Async<std::vector<Result<>>> run_all(std::vector<std::function<Task<>()>> jobs) {
  std::vector<Result<>> results;
  if (jobs.empty()) co_return results;
  const Executor executor = co_await asio::this_coro::executor;
  using Operation = decltype(asio::co_spawn(executor, jobs.front()(), asio::deferred));
  std::vector<Operation> operations;
  operations.reserve(jobs.size());
  for (const auto& job : jobs)
    operations.push_back(asio::co_spawn(executor, job(), asio::deferred));
  auto group = asio::experimental::make_parallel_group(std::move(operations));
  auto [order, failures, values] =
      co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  for (Result<>& value : values) results.push_back(std::move(value));
  co_return results;
}

Async<BatchResult> run_in_slow_start(size_t count, std::function<Task<>(size_t index)> job) {
  BatchResult out;
  size_t begun = 0;
  for (size_t batch = 1; begun < count; batch *= 2) {
    std::vector<std::function<Task<>()>> jobs;
    for (size_t i = 0; i < std::min(batch, count - begun); ++i)
      jobs.push_back([&job, at = begun + i] { return job(at); });
    begun += jobs.size();
    std::vector<Result<>> results = co_await run_all(std::move(jobs));
    for (Result<>& result : results) {
      if (result)
        ++out.succeeded;
      else
        out.errors.push_back(std::move(result).error());
    }
    if (!out.errors.empty()) break;
  }
  co_return out;
}

}  // namespace atl::api

#include "base/async/blocking_pool.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atl {

struct BlockingPool::Threads {
  explicit Threads(size_t count) : pool(count) {}
  asio::thread_pool pool;
};

BlockingPool::BlockingPool(size_t threads) : threads_(std::make_unique<Threads>(threads)) {}
BlockingPool::~BlockingPool() {
  threads_->pool.join();
}

Async<void> BlockingPool::submit(std::function<void()> job) {
  auto initiate = [this, job = std::move(job)](auto handler) mutable {
    auto caller = asio::get_associated_executor(handler);
    auto work = asio::make_work_guard(caller);
    asio::post(threads_->pool, [job = std::move(job), handler = std::move(handler), caller,
                                work = std::move(work)]() mutable {
      job();
      asio::post(caller, std::move(handler));
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(initiate),
                                                                        asio::use_awaitable);
}

}  // namespace atl

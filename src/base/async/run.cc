#include "base/async/run.h"

#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>

namespace atl {
namespace {

// What the coroutine needs; shared, because it may outlive a run that gave up on it.
struct Started {
  std::function<Task<>()> body;
  std::optional<Result<>> result;
};

std::shared_ptr<Started> start(asio::io_context& loop, std::function<Task<>()> body,
                               std::function<void()> ended) {
  auto started = std::make_shared<Started>();
  started->body = std::move(body);
  asio::co_spawn(loop, started->body(),
                 [started, ended = std::move(ended)](std::exception_ptr failure, Result<> result) {
                   if (failure) std::rethrow_exception(failure);
                   started->result.emplace(std::move(result));
                   ended();
                 });
  return started;
}

}  // namespace

Result<> run(asio::io_context& loop, std::function<Task<>()> body) {
  const auto started = start(loop, std::move(body), [&loop] { loop.stop(); });
  // Not one handler at a time: Asio keeps the memory of coroutines from handler to handler only
  // within one call.
  loop.restart();
  loop.run();
  loop.restart();
  if (!started->result)
    return Error(Code::kInternal, "the loop ran out of work before the coroutine ended");
  return *std::move(started->result);
}

Result<> run_simulated(asio::io_context& loop, SimTimer& timer, Duration limit,
                       std::function<Task<>()> body) {
  const MonoTime end = timer.monotonic() + limit;
  const auto started = start(loop, std::move(body), [] {});
  while (!started->result) {
    loop.restart();
    if (loop.poll() > 0) continue;
    if (timer.advance_to_next(end)) continue;
    if (timer.advance_to_next(MonoTime::max()))
      return Error(Code::kTimeout, "the limit of virtual time passed");
    return Error(Code::kInternal, "every coroutine waits for ever");
  }
  return *std::move(started->result);
}

}  // namespace atl

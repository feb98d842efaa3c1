#pragma once

#include <functional>
#include <string>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/async/task.h"
#include "base/async/timer.h"

// What a pod's task throws ends neither the agent nor another pod. Expected failures travel as
// Result; this is the wall behind which a fault of ours in reading one pod stays that pod's.
namespace atl::node {

// What a step throws is its error, kInternal. Cancellation passes: that is how tasks are stopped.
template <class T>
Task<T> contained(Task<T> step) {
  std::string fault;
  try {
    auto done = co_await std::move(step);
    co_return done;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;
    fault = error.what();
  } catch (const std::exception& error) {
    fault = error.what();
  }
  co_return Error(Code::kInternal, "a fault of this node: " + fault);
}

// The same where nothing waits.
template <class F>
Result<> contained_call(F f) {
  try {
    f();
    return Unit{};
  } catch (const std::exception& error) {
    return Error(Code::kInternal, std::string("a fault of this node: ") + error.what());
  }
}

enum class Again : uint8_t {
  kUntilDone,  // after a pause that grows from 1 s to 1 min
  kNever,
};
// Runs a background task; `told` hears what it throws.
Async<void> contained(Timer& timer, std::function<Async<void>()> body,
                      std::function<void(const std::string& fault)> told, Again again);

}  // namespace atl::node

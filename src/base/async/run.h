#pragma once

#include <functional>

#include <boost/asio/io_context.hpp>

#include "base/async/task.h"
#include "base/async/timer.h"

namespace atl {

// Runs one coroutine to its end on the loop and returns its result. For main() and tests.
Result<> run(asio::io_context& loop, std::function<Task<>()> body);

// The same in virtual time: when nothing is runnable, time jumps to the next sleeper.
// kTimeout when `limit` of virtual time passed, kInternal when everything waits for ever.
Result<> run_simulated(asio::io_context& loop, SimTimer& timer, Duration limit,
                       std::function<Task<>()> body);

}  // namespace atl

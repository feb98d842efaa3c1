#pragma once

#include <optional>

#include <boost/asio/io_context.hpp>

#include "base/async/run.h"
#include "base/core/check.h"

namespace atl::apiserver {

// The result of one coroutine, run to its end on a loop of its own. For tests.
template <class T>
Result<T> await(Task<T> task) {
  asio::io_context loop;
  std::optional<Result<T>> out;
  const Result<> ran = run(loop, [&]() -> Task<> {
    out.emplace(co_await std::move(task));
    co_return Unit{};
  });
  CHECK(ran.has_value() && out.has_value());
  return *std::move(out);
}

}  // namespace atl::apiserver

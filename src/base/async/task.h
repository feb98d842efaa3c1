#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/core/result.h"

namespace atl {

namespace asio = boost::asio;

// A coroutine that may fail. co_await stands as a whole statement, the whole initialiser of a named
// variable, the argument of CO_TRY, or after co_return (docs/style.md; tools/tidy checks it).
template <class T = Unit>
using Task = asio::awaitable<Result<T>>;

// A coroutine that cannot fail.
template <class T = void>
using Async = asio::awaitable<T>;

using Executor = asio::any_io_executor;

}  // namespace atl

#pragma once

namespace atl {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace atl

// A programmer error aborts. Never for input, never for I/O.
#define CHECK(expression)                             \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? void()                                       \
       : ::atl::check_failed(#expression, __FILE__, __LINE__))

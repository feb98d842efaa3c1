#pragma once

#include <cstddef>

namespace atl::network::dns {

// Counts for the length of a scope, however it ends: a cancelled coroutine leaves by an exception.
class Counted {
 public:
  explicit Counted(size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  size_t& count_;
};

}  // namespace atl::network::dns

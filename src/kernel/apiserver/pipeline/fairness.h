#pragma once

#include <cstddef>
#include <optional>

#include "kernel/apiserver/request_info.h"

namespace atl::apiserver {

// Bounds how many requests are worked on at a time; one more gets 429 with Retry-After at once
// instead of waiting in a queue that only grows. Streams (watch, log, exec ...) do not count. Owned
// by ApiServer; one executor.
class Fairness {
 public:
  struct Limits {
    size_t reads = 400;
    size_t writes = 200;
  };
  explicit Fairness(Limits limits) : limits_(limits) {}

  // A place among the requests under way; given back by its destructor.
  class Ticket {
   public:
    explicit Ticket(size_t* count) : count_(count) { ++*count_; }
    Ticket(Ticket&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (count_) --*count_;
    }

   private:
    size_t* count_;
  };
  // kTooMany where all places are taken.
  Result<Ticket> admit(const RequestInfo& info);

  size_t reads() const { return reads_; }
  size_t writes() const { return writes_; }

 private:
  Limits limits_;
  size_t reads_ = 0, writes_ = 0;
};

// Is this a stream that lives as long as its client wants?
bool is_long_running(const RequestInfo& info);
bool is_mutating(const RequestInfo& info);

}  // namespace atl::apiserver

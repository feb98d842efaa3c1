#pragma once

#include <chrono>

#include "base/core/clock.h"
#include "base/core/rng.h"

namespace atl::api {

// Waits that double from `first` to `most`, each lengthened at random by up to `jitter` of itself,
// so that many clients of one server do not return together. Value type.
class Backoff {
 public:
  struct Options {
    Duration first = std::chrono::milliseconds(50);
    Duration most = std::chrono::seconds(30);
    double jitter = 0.5;
  };
  explicit Backoff(Options options) : options_(options), next_(options.first) {}

  Duration next(Rng& rng);
  void reset() { next_ = options_.first; }

  // The wait before attempt `failures` + 1, without state.
  static Duration after(const Options& options, int failures, Rng& rng);

 private:
  Options options_;
  Duration next_;
};

}  // namespace atl::api

#pragma once

#include <algorithm>
#include <vector>

#include "load/h2_client.h"

namespace bench {

// When each of many watchers got each of many events. One event at a time is under way.
class Deliveries {
 public:
  explicit Deliveries(size_t watchers) : watchers_(watchers) {}

  void ready() { ++ready_; }
  bool all_ready() const { return ready_ >= watchers_; }

  // The next event is being sent.
  void expect() {
    arrived_ = 0;
    sent_ = Clock::now();
  }
  void arrived(size_t events) {
    const double took = milliseconds(Clock::now() - sent_);
    each_.insert(each_.end(), events, took);
    arrived_ += events;
    if (arrived_ == watchers_) last_.push_back(took);
  }
  bool complete() const { return arrived_ >= watchers_; }

  struct Summary {
    double each_p50, each_p99, last_p50, last_p99;
  };
  Summary summary() {
    std::sort(each_.begin(), each_.end());
    std::sort(last_.begin(), last_.end());
    return {percentile(each_, 0.5), percentile(each_, 0.99), percentile(last_, 0.5),
            percentile(last_, 0.99)};
  }

  bool over = false;  // streams may end

 private:
  const size_t watchers_;
  size_t ready_ = 0, arrived_ = 0;
  Clock::time_point sent_;
  std::vector<double> each_, last_;
};

}  // namespace bench

#include "api/controller/work_queue.h"

#include <algorithm>

namespace atl::api {

void WorkQueue::add(const ObjectKey& key) {
  if (closed_ || !waiting_.insert(key).second) return;
  ++adds_;
  if (taken_.contains(key)) return;  // done() puts it back
  ready_.push_back(key);
  wake();
}

void WorkQueue::add_after(const ObjectKey& key, Duration delay) {
  if (delay <= Duration(0)) return add(key);
  const MonoTime at = seams_.timer->monotonic() + delay;
  const auto known = due_.find(key);
  if (known != due_.end()) {
    if (known->second <= at) return;
    const auto [first, last] = by_time_.equal_range(known->second);
    by_time_.erase(
        std::find_if(first, last, [&](const auto& entry) { return entry.second == key; }));
  }
  due_[key] = at;
  by_time_.emplace(at, key);
  if (by_time_.begin()->second == key) wake();
}

void WorkQueue::retry(const ObjectKey& key) {
  ++retries_;
  add_after(key, Backoff::after(retry_, ++failures_[key], *seams_.rng));
}

int WorkQueue::failures(const ObjectKey& key) const {
  const auto it = failures_.find(key);
  return it == failures_.end() ? 0 : it->second;
}

void WorkQueue::release_due() {
  const MonoTime now = seams_.timer->monotonic();
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    const ObjectKey key = by_time_.begin()->second;
    by_time_.erase(by_time_.begin());
    due_.erase(key);
    add(key);
  }
}

Async<std::optional<ObjectKey>> WorkQueue::next() {
  while (!closed_) {
    release_due();
    if (!ready_.empty()) {
      const ObjectKey key = ready_.front();
      ready_.pop_front();
      waiting_.erase(key);
      taken_.insert(key);
      co_return key;
    }
    if (by_time_.empty()) {
      const bool woken = co_await changed_.wait();
      if (!woken) co_return std::nullopt;
    } else {
      const Duration left = by_time_.begin()->first - seams_.timer->monotonic();
      co_await changed_.wait_for(*seams_.timer, left);
    }
  }
  co_return std::nullopt;
}

void WorkQueue::done(const ObjectKey& key) {
  taken_.erase(key);
  if (!waiting_.contains(key)) return;
  ready_.push_back(key);
  wake();
}

void WorkQueue::close() {
  closed_ = true;
  wake();
}

}  // namespace atl::api

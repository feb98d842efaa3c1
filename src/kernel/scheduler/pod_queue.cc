#include "kernel/scheduler/pod_queue.h"

namespace atl::scheduler {
namespace {

constexpr api::Backoff::Options kBackoff{
    .first = std::chrono::seconds(1), .most = std::chrono::seconds(10), .jitter = 0};

}  // namespace

void PodQueue::take_out(Entry& entry) {
  switch (entry.place) {
    case Place::kActive:
      active_.erase(rank(entry));
      break;
    case Place::kUnschedulable:
      unschedulable_.erase(entry.pod->uid());
      break;
    case Place::kBackoff:
      by_time_.erase({entry.ready_at, entry.pod->uid()});
      break;
    case Place::kOut:
      break;
  }
  entry.place = Place::kOut;
}

void PodQueue::put_active(Entry& entry) {
  take_out(entry);
  entry.place = Place::kActive;
  active_.insert(rank(entry));
  changed_.notify();
}

void PodQueue::put_after_backoff(Entry& entry) {
  if (entry.ready_at <= seams_.timer->monotonic()) return put_active(entry);
  take_out(entry);
  entry.place = Place::kBackoff;
  by_time_.insert({entry.ready_at, entry.pod->uid()});
  changed_.notify();
}

void PodQueue::start_backoff(Entry& entry) {
  entry.ready_at =
      seams_.timer->monotonic() + api::Backoff::after(kBackoff, ++entry.attempts, *seams_.rng);
}

void PodQueue::add(const PodPtr& pod) {
  const auto [it, fresh] = entries_.try_emplace(pod->uid());
  Entry& entry = it->second;
  if (fresh) {
    entry.arrival = ++arrivals_;
    entry.pod = pod;
    put_active(entry);
    return;
  }
  const bool same = entry.pod->identity == pod->identity;
  const Place place = entry.place;
  take_out(entry);  // its rank may depend on what changes
  entry.pod = pod;
  if (place == Place::kOut) return;  // being tried: failed() or retry() will put it back
  if (!same) return put_after_backoff(entry);
  entry.place = place;
  if (place == Place::kActive) active_.insert(rank(entry));
  if (place == Place::kUnschedulable) unschedulable_.insert(pod->uid());
  if (place == Place::kBackoff) by_time_.insert({entry.ready_at, pod->uid()});
}

void PodQueue::remove(const std::string& uid) {
  const auto it = entries_.find(uid);
  if (it == entries_.end()) return;
  take_out(it->second);
  entries_.erase(it);
}

Async<std::optional<PodPtr>> PodQueue::next() {
  while (!closed_) {
    const MonoTime now = seams_.timer->monotonic();
    while (!by_time_.empty() && by_time_.begin()->first <= now)
      put_active(entries_.at(by_time_.begin()->second));
    if (!active_.empty()) {
      Entry& entry = entries_.at(std::get<2>(*active_.begin()));
      take_out(entry);
      co_return entry.pod;
    }
    if (by_time_.empty()) {
      const bool woken = co_await changed_.wait();
      if (!woken) co_return std::nullopt;
    } else {
      co_await changed_.wait_for(*seams_.timer, by_time_.begin()->first - now);
    }
  }
  co_return std::nullopt;
}

void PodQueue::failed(const PodPtr& pod) {
  const auto it = entries_.find(pod->uid());
  if (it == entries_.end()) return;
  start_backoff(it->second);
  // It changed while it was tried: the verdict is about the past.
  if (it->second.pod->identity != pod->identity) return put_after_backoff(it->second);
  take_out(it->second);
  it->second.place = Place::kUnschedulable;
  unschedulable_.insert(pod->uid());
}

void PodQueue::retry(const PodPtr& pod) {
  const auto it = entries_.find(pod->uid());
  if (it == entries_.end()) return;
  start_backoff(it->second);
  put_after_backoff(it->second);
}

void PodQueue::cluster_changed() {
  const std::set<std::string> waiting = unschedulable_;
  for (const std::string& uid : waiting) put_after_backoff(entries_.at(uid));
}

void PodQueue::close() {
  closed_ = true;
  changed_.notify();
}

}  // namespace atl::scheduler

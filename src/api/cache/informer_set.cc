#include "api/cache/informer_set.h"

#include <vector>

namespace atl::api {

Informer& InformerSet::get(const Gvr& resource, const Informer::Scope& scope) {
  auto& slot = informers_[{resource, scope}];
  if (!slot) {
    slot = std::make_unique<Informer>(client_, seams_, resource, scope);
    if (running_) slot->start();
  }
  return *slot;
}

Informer* InformerSet::find(const Gvr& resource, const Informer::Scope& scope) const {
  const auto it = informers_.find({resource, scope});
  return it == informers_.end() ? nullptr : it->second.get();
}

void InformerSet::start() {
  running_ = true;
  for (auto& [key, informer] : informers_) informer->start();
}

Async<bool> InformerSet::synced() {
  // Others may ask for more while this waits: look again until everything has synced.
  while (true) {
    Informer* waiting = nullptr;
    for (auto& [key, informer] : informers_) {
      if (!informer->has_synced()) waiting = informer.get();
    }
    if (!waiting) co_return true;
    const bool ok = co_await waiting->synced();
    if (!ok) co_return false;
  }
}

Async<void> InformerSet::stop() {
  running_ = false;
  std::vector<Informer*> all;
  for (auto& [key, informer] : informers_) all.push_back(informer.get());
  for (Informer* informer : all) co_await informer->stop();
}

Async<void> InformerSet::remove(Gvr resource) {
  std::vector<std::unique_ptr<Informer>> gone;
  for (auto it = informers_.begin(); it != informers_.end();) {
    if (it->first.first == resource) {
      gone.push_back(std::move(it->second));
      it = informers_.erase(it);
    } else {
      ++it;
    }
  }
  for (const auto& informer : gone) co_await informer->stop();
}

}  // namespace atl::api

#pragma once

#include <map>
#include <memory>
#include <utility>

#include "api/cache/informer.h"

namespace atl::api {

// One informer for each collection, shared by everybody in the process who asks for it.
// Owned by whoever wires the process; stopped before it is destroyed. One executor.
class InformerSet {
 public:
  InformerSet(Client& client, Seams seams) : client_(client), seams_(seams) {}

  // Made at the first request; started at once where the set is running already. The reference
  // stays valid until remove() or the end of the set.
  Informer& get(const Gvr& resource, const Informer::Scope& scope = {});
  Informer* find(const Gvr& resource, const Informer::Scope& scope = {}) const;

  void start();
  // True once everything asked for so far has its first list.
  Async<bool> synced();
  Async<void> stop();
  // For collections that come and go (custom kinds). The informer is destroyed.
  Async<void> remove(Gvr resource);

  size_t size() const { return informers_.size(); }

 private:
  using Key = std::pair<Gvr, Informer::Scope>;
  Client& client_;
  Seams seams_;
  std::map<Key, std::unique_ptr<Informer>> informers_;
  bool running_ = false;
};

}  // namespace atl::api

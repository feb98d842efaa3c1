#include "store/listeners.h"

namespace atl::store {

std::shared_ptr<void> Listeners::add(Store::Listener listener) {
  auto handle = std::make_shared<Store::Listener>(std::move(listener));
  listeners_.push_back(handle);
  return handle;
}

void Listeners::publish(std::span<const Event> events) {
  if (events.empty()) return;
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    if (const auto listener = it->lock()) {
      (*listener)(events);
      ++it;
    } else {
      it = listeners_.erase(it);
    }
  }
}

}  // namespace atl::store

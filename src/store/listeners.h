#pragma once

#include <list>
#include <memory>
#include <span>

#include "store/store.h"

namespace atl::store {

// The subscribers of a store. A listener may drop its own handle while it is being called.
class Listeners {
 public:
  std::shared_ptr<void> add(Store::Listener listener);
  void publish(std::span<const Event> events);

 private:
  std::list<std::weak_ptr<Store::Listener>> listeners_;
};

}  // namespace atl::store

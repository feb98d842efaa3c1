#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "api/object/object.h"

namespace atl::apiserver {

// The present state of all stored objects, without waiting: what authenticators, authorizers,
// admission steps and hooks look things up in. Implemented by the watch cache. Executor: the
// server's. It never lags behind an answered write.
class Reader {
 public:
  virtual ~Reader() = default;
  // Null where it does not exist.
  virtual api::ObjectPtr get(std::string_view group, std::string_view resource,
                             const api::ObjectKey& key) const = 0;
  // In key order; ns empty: all namespaces. `visit` returns false to stop.
  virtual void each(std::string_view group, std::string_view resource, std::string_view ns,
                    const std::function<bool(const api::ObjectPtr&)>& visit) const = 0;
  // The revision of the last change of any object of the resource; 0 where there never was one.
  // Indexes built over each() are valid while it stays the same.
  virtual Revision changed(std::string_view group, std::string_view resource) const = 0;

  // Called after every change, `before` null for a creation, `now` null for a deletion. Lives as
  // long as the handle. Must not block and not write.
  using Listener = std::function<void(const api::ObjectPtr& now, const api::ObjectPtr& before)>;
  virtual std::shared_ptr<void> listen(std::string_view group, std::string_view resource,
                                       Listener listener) = 0;
};

}  // namespace atl::apiserver
